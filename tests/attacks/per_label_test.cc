// Several labels an image: each is attacked as the two classes it is, and all are trained by their own loss.
#include "attacks/per_label.h"

#include <algorithm>
#include <cmath>

#include "attacks/clean.h"
#include "attacks/registry.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/consistent.h"
#include "engine/objectives/erm.h"
#include "engine/trainer.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using attacks::Evaluation;
using attacks::EvaluatorSpec;
using attacks::StagedEvaluation;

const Shape kImage{1, 2, 6, 5};
constexpr std::int64_t kImages = 30, kLabels = 3;

/// Labels that the linear network agrees with, but for one in seven.
ImageSplit labelled_split(LinearModel& model, unsigned seed) {
  ImageSplit split = random_split(kImages, kImage, 2, seed);
  split.label_columns = kLabels;
  split.labels.clear();
  for (std::int64_t i = 0; i < kImages; ++i)
    for (const double z : model.logits(image_of(split, i)))
      split.labels.push_back((z > 0) != (split.labels.size() % 7 == 0) ? 1 : 0);
  return split;
}

/// Makes `two` the network whose classes are that a label is not there, with logit 0, and that it is.
void set_two_classes(LinearModel& two, LinearModel& model, std::int64_t label) {
  const auto cols = static_cast<std::size_t>(kImage.per_sample()), l = static_cast<std::size_t>(label);
  const std::vector<float> w = find_weight(model.network(), "fc.weight"),
                           b = find_weight(model.network(), "fc.bias");
  std::vector<float> of_two(2 * cols, 0.0f);
  std::copy_n(w.begin() + static_cast<std::ptrdiff_t>(l * cols), cols,
              of_two.begin() + static_cast<std::ptrdiff_t>(cols));
  set_weight(two.network(), "fc.weight", of_two);
  set_weight(two.network(), "fc.bias", {0, b[l]});
}

ImageSplit one_label_of(const ImageSplit& split, std::int64_t label) {
  ImageSplit one = split;
  one.label_columns = 1;
  one.labels.clear();
  for (std::int64_t i = 0; i < split.count; ++i)
    one.labels.push_back(split.labels_of(i)[static_cast<std::size_t>(label)]);
  return one;
}

TrainerSpec spec_for(std::int64_t batch, double rate) {
  TrainerSpec spec;
  spec.batch = batch;
  spec.optimizer.kind = OptimizerKind::sgd;
  spec.optimizer.momentum = 0;
  spec.schedule.kind = ScheduleKind::constant;
  spec.schedule.peak = rate;
  return spec;
}

double sigmoid(double z) {
  return 1 / (1 + std::exp(-z));
}

}  // namespace

TEST_CASE("per label: every attack does to a label what it does to the network of its two classes") {
  LinearModel model(kImage, kLabels, 4);
  const ImageSplit split = labelled_split(model, 2);
  for (const char* spec :
       {"fgsm:eps=4/255", "pgd:eps=4/255,steps=4,restarts=2,keep=best", "pgd:norm=l2,eps=0.5,loss=kl,steps=3",
        "pgd:eps=4/255,target=next,steps=3", "apgd-ce:eps=4/255,steps=6", "apgd-t:norm=l2,eps=0.3,steps=6",
        "aa-k:eps=3/255,steps=6,queries=20", "deepfool:norm=l2", "cw:steps=10,search=2", "jsma",
        "fab:norm=l1,eps=2,steps=4", "square:eps=4/255,queries=20", "noise:eps=8/255,restarts=2"})
    for (const std::int64_t label : {0, 2}) {
      CAPTURE(std::string(spec));
      CAPTURE(label);
      const auto stages = attacks::parse_attacks(spec).front().stages(2);
      const EvaluatorSpec how{.batch = 7, .seed = 3, .keep_images = attacks::KeepImages::yes};
      EvaluatorSpec of_label = how;
      of_label.label_column = label;
      LinearModel two(kImage, 2, 1);
      set_two_classes(two, model, label);
      const Evaluation seen = attacks::evaluate_labels(model.network(), split, stages, of_label).evaluation;
      const Evaluation expected =
          attacks::evaluate_stages(two.network(), one_label_of(split, label), stages, how).evaluation;
      CHECK(seen.classes == 2);
      CHECK(seen.label == expected.label);
      CHECK(seen.clean_logits == expected.clean_logits);
      CHECK(seen.logits == expected.logits);
      CHECK(seen.images == expected.images);
      CHECK(seen.zero_gradients == expected.zero_gradients);
    }
}

TEST_CASE("per label: all labels together are each of them, image by image") {
  LinearModel model(kImage, kLabels, 4);
  const ImageSplit split = labelled_split(model, 2);
  const auto stages = attacks::parse_attacks("aa-k:eps=3/255,steps=5,queries=10")
                          .front()
                          .stages(attacks::attacked_classes(model.network().graph().classes(), split));
  const EvaluatorSpec spec{.batch = 8, .seed = 3};
  const StagedEvaluation all = attacks::evaluate_labels(model.network(), split, stages, spec);
  const Evaluation& e = all.evaluation;
  REQUIRE(e.columns == kLabels);
  REQUIRE(e.label == split.labels);
  std::int64_t robust = 0, broken = 0;
  for (std::int64_t label = 0; label < kLabels; ++label) {
    EvaluatorSpec of_label = spec;
    of_label.label_column = label;
    const StagedEvaluation one = attacks::evaluate_labels(model.network(), split, stages, of_label);
    robust += attacks::judge_robustness(one.evaluation).robust_correct;
    for (const auto& stage : one.stages) broken += stage.broken;
    for (std::int64_t i = 0; i < kImages; ++i) {
      const auto from = static_cast<std::size_t>(i), to = static_cast<std::size_t>(i * kLabels + label);
      CHECK(e.logits[2 * to + 1] == one.evaluation.logits[2 * from + 1]);
      CHECK(e.norms[to].linf == one.evaluation.norms[from].linf);
    }
  }
  const attacks::Robustness r = attacks::judge_robustness(e);
  CHECK(r.robust_correct == robust);
  CHECK(r.robust_correct < r.clean_correct);
  CHECK(r.robust_accuracy == static_cast<double>(robust) / (kImages * kLabels));
  std::int64_t joined_broken = 0;
  for (const auto& stage : all.stages) joined_broken += stage.broken;
  CHECK(joined_broken == broken);
}

TEST_CASE("per label: images as they are carry the network's own logits, and padding counts nowhere") {
  LinearModel model(kImage, kLabels, 4);
  const ImageSplit split = labelled_split(model, 2);
  for (const std::int64_t batch : {7, 30}) {
    const Evaluation e = evaluate(model.network(), split, attacks::Clean{}, batch);
    REQUIRE(e.logits.size() == static_cast<std::size_t>(2 * kImages * kLabels));
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::vector<double> z = model.logits(image_of(split, i));
      for (std::size_t l = 0; l < z.size(); ++l) {
        const auto at = 2 * (static_cast<std::size_t>(i * kLabels) + l);
        CHECK(e.logits[at] == 0);
        CHECK(e.logits[at + 1] == doctest::Approx(z[l]).epsilon(1e-5));
      }
    }
    std::uint64_t binned = 0;
    for (const CalibrationBin& bin : e.bins) binned += bin.count;
    CHECK(binned == static_cast<std::uint64_t>(kImages * kLabels));
  }
}

TEST_CASE(
    "per label: a training step descends the mean binary cross-entropy, of images as they are or attacked") {
  constexpr double kRate = 0.5, kEps = 0.05;
  for (const bool attacked : {false, true}) {
    CAPTURE(attacked);
    LinearModel model(kImage, kLabels, 4);
    const ImageSplit split = labelled_split(model, 2);
    const attacks::Pgd pgd({.eps = kEps, .alpha = kEps, .steps = 1, .start = attacks::Start::clean});
    const Erm erm;
    const AdversarialTraining adversarial("pgd", pgd, NormMode::frozen, 1);
    const Objective& objective = attacked ? static_cast<const Objective&>(adversarial) : erm;
    const std::vector<float> w = find_weight(model.network(), "fc.weight"),
                             b = find_weight(model.network(), "fc.bias");
    // Where a normalised pixel is: the logits' derivative by it, from a bias-free difference.
    const auto cols = static_cast<std::size_t>(kImage.per_sample());
    std::vector<double> bias_step(kLabels, 0.0);
    double loss = 0, right = 0;
    for (std::int64_t i = 0; i < kImages; ++i) {
      std::vector<double> x = image_of(split, i), g(cols, 0.0);
      const auto slopes = [&] {
        std::vector<double> slope = model.logits(x);
        for (std::size_t l = 0; l < slope.size(); ++l) slope[l] = sigmoid(slope[l]) - split.labels_of(i)[l];
        return slope;
      };
      if (attacked) {
        const std::vector<double> slope = slopes();
        for (std::size_t l = 0; l < slope.size(); ++l)
          for (std::size_t p = 0; p < cols; ++p) g[p] += slope[l] * w[l * cols + p];
        for (std::size_t p = 0; p < cols; ++p) x[p] = std::clamp(x[p] + (g[p] > 0 ? kEps : -kEps), 0.0, 1.0);
      }
      const std::vector<double> z = model.logits(x), slope = slopes();
      for (std::size_t l = 0; l < z.size(); ++l) {
        bias_step[l] -= kRate * slope[l] / (kImages * kLabels);
        loss -= std::log(split.labels_of(i)[l] == 1 ? sigmoid(z[l]) : 1 - sigmoid(z[l]));
        right += (z[l] > 0) == (split.labels_of(i)[l] == 1) ? 1 : 0;
      }
    }
    Trainer trainer(model.network(), objective, split, spec_for(kImages, kRate));
    trainer.run_step();
    const std::vector<float> after = find_weight(model.network(), "fc.bias");
    for (std::size_t l = 0; l < after.size(); ++l)
      CHECK(static_cast<double>(after[l]) - b[l] == doctest::Approx(bias_step[l]).epsilon(1e-3));
    const TrainingTally tally = trainer.tally();
    CHECK(tally.seen == kImages * kLabels);
    CHECK(static_cast<double>(tally.correct) == right);
    CHECK(tally.loss == doctest::Approx(loss).epsilon(1e-4));
  }
}

TEST_CASE("per label: what compares classes of an image is refused") {
  LinearModel model(kImage, kLabels, 4);
  const ImageSplit split = labelled_split(model, 2);
  const auto train = [&](const Objective& objective) {
    Trainer(model.network(), objective, split, spec_for(10, 0.1));
  };
  const attacks::Clean clean;
  check_throws(ErrorKind::usage, "trades: compares answers that are one class an image", [&] {
    train(ConsistentTraining("trades", {&clean}, 6, ViewPasses::one_by_one, Divergence::kullback_leibler));
  });
  const attacks::Pgd margin({.loss = attacks::AttackLoss::margin}), best({.iterate = attacks::Iterate::best});
  check_throws(ErrorKind::usage, "3 labels an image; expected loss=ce",
               [&] { train(AdversarialTraining("pgd", margin, NormMode::frozen, 1)); });
  check_throws(ErrorKind::usage, "expected keep=last and restarts=1",
               [&] { train(AdversarialTraining("pgd", best, NormMode::frozen, 1)); });
  ImageSplit two = split;
  two.label_columns = 2;
  two.labels.resize(2 * kImages);
  check_throws(ErrorKind::bad_data, "has 2 labels an image, the network answers 3",
               [&] { evaluate(model.network(), two, clean); });
  ImageSplit wrong = split;
  wrong.labels[4] = 2;
  check_throws(ErrorKind::bad_data, "label 2 of image 1, expected 0 to 1",
               [&] { evaluate(model.network(), wrong, clean); });
  check_throws(ErrorKind::usage, "label 3 of 3 an image is to be taken",
               [&] { attacks::Evaluator(model.network(), split, clean, {.label_column = 3}); });
}

}  // namespace inocula::test
