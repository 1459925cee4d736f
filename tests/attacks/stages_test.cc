// Attacks of several stages: who is attacked when changes nothing for anybody, and Auto-PGD does what it
// shall.
#include "attacks/stages.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attacks/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using attacks::Evaluation;
using attacks::EvaluatorSpec;
using attacks::KeepImages;
using attacks::Stage;
using attacks::StagedEvaluation;

constexpr std::int64_t kImages = 40, kClasses = 4;
const Shape kImage{1, 1, 9, 9};

/// A network and images with labels that it agrees with, but for every fifth.
struct Scene {
  explicit Scene(Network& of, std::int64_t classes = kClasses)
      : network(of), split(random_split(kImages, kImage, classes, 2)) {
    const Evaluation e =
        evaluate(network, split, attacks::Pgd({.eps = 0, .steps = 1, .start = attacks::Start::clean}));
    split.labels = attacks::argmax_rows(e.logits, classes);
    for (std::size_t i = 0; i < split.labels.size(); i += 5)
      split.labels[i] = (split.labels[i] + 1) % static_cast<std::int32_t>(classes);
  }

  Network& network;
  ImageSplit split;
};

/// Whose images lie close to its boundaries.
struct LinearScene : LinearModel, Scene {
  explicit LinearScene(std::int64_t classes = kClasses)
      : LinearModel(kImage, classes, 5), Scene(LinearModel::network(), classes) {}
};

std::vector<Stage> stages_of(const std::vector<std::string>& specs, std::int64_t classes = kClasses) {
  std::vector<Stage> stages;
  for (const std::string& text : specs)
    for (Stage& s : attacks::parse_attacks(text).front().stages(classes)) stages.push_back(std::move(s));
  return stages;
}

StagedEvaluation run(Scene& s, const std::vector<Stage>& stages, std::int64_t batch) {
  return attacks::evaluate_stages(s.Scene::network, s.split, stages,
                                  {.batch = batch, .seed = 7, .keep_images = KeepImages::yes});
}

std::vector<float> row(const std::vector<float>& all, std::size_t i, std::size_t cols) {
  return {all.begin() + static_cast<std::ptrdiff_t>(i * cols),
          all.begin() + static_cast<std::ptrdiff_t>((i + 1) * cols)};
}

}  // namespace

TEST_CASE(
    "stages: an image's answer is that of the stage that broke it or of the first, as if that stage had seen "
    "all images") {
  LinearScene s;
  const std::vector<std::string> specs = {"fgsm:eps=1/255", "pgd:eps=2/255,alpha=1/255,steps=3",
                                          "apgd-t:eps=4/255,steps=6"};
  const std::vector<Stage> stages = stages_of(specs);
  REQUIRE(stages.size() == 5);
  const StagedEvaluation all = run(s, stages, 16);
  std::vector<Evaluation> alone;
  for (const Stage& stage : stages) {
    EvaluatorSpec spec{.batch = 40, .seed = 7, .keep_images = KeepImages::yes};
    spec.restart = stage.restart;
    alone.push_back(attacks::Evaluator(s.Scene::network, s.split, *stage.perturbation, spec).run());
  }
  std::vector<std::int64_t> tried(stages.size()), broken(stages.size());
  for (std::size_t i = 0; i < kImages; ++i) {
    const std::vector<std::int32_t> label{s.split.labels[i]};
    const auto answer = [&](const std::vector<float>& logits) {
      return attacks::argmax_rows(row(logits, i, kClasses), kClasses);
    };
    std::vector<float> expected = row(alone[0].clean_logits, i, kClasses);
    PerturbationNorm norm = {};
    std::vector<float> image;
    bool left = answer(alone[0].clean_logits) == label;
    for (std::size_t stage = 0; stage < stages.size() && left; ++stage) {
      ++tried[stage];
      left = answer(alone[stage].logits) == label;
      broken[stage] += left ? 0 : 1;
      if (left && stage > 0) continue;
      expected = row(alone[stage].logits, i, kClasses);
      norm = alone[stage].norms[i];
      image = row(alone[stage].images, i, 81);
    }
    if (!image.empty()) CHECK(same_bits(row(all.evaluation.images, i, 81), image));
    CHECK(same_bits(row(all.evaluation.logits, i, kClasses), expected));
    CHECK(all.evaluation.norms[i].linf == norm.linf);
  }
  REQUIRE(all.stages.size() == stages.size());
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    CAPTURE(all.stages[stage].spec);
    CHECK(all.stages[stage].tried == tried[stage]);
    CHECK(all.stages[stage].broken == broken[stage]);
  }
  CHECK(broken[0] > 0);
  CHECK(broken[1] > 0);
  CHECK(broken[2] + broken[3] + broken[4] > 0);
}

TEST_CASE("stages: the batch size, 1, 7 or 64, changes no bit, with kept images or a choice of them") {
  LinearScene linear;
  Network resnet(small_resnet(kImage, 4, kClasses), cpu());
  randomize(resnet, 1);
  Scene deep(resnet);
  for (Scene* const scene : {static_cast<Scene*>(&linear), &deep}) {
    Scene& s = *scene;
    const std::vector<Stage> stages =
        stages_of({"apgd-ce:eps=1/255,steps=8,restarts=2", "apgd-dlr:eps=2/255,steps=8",
                   "apgd-t:eps=2/255,steps=8", "apgd-ce:norm=l2,eps=0.2,steps=8", "mifgsm:eps=2/255",
                   "pgd:norm=l1,eps=0.5,alpha=0.1,steps=5", "apgd-ce:norm=l1,eps=0.5,steps=10,restarts=2"});
    const StagedEvaluation one = run(s, stages, 1);
    for (const std::int64_t batch : {7, 64}) {
      const StagedEvaluation other = run(s, stages, batch);
      CHECK(same_bits(one.evaluation.images, other.evaluation.images));
      CHECK(same_bits(one.evaluation.logits, other.evaluation.logits));
      CHECK(total(one.evaluation.zero_gradients) == total(other.evaluation.zero_gradients));
      CHECK(total(one.evaluation.all_gradients) == total(other.evaluation.all_gradients));
    }
    const std::vector<std::int64_t> chosen = {0, 1, 13, 39};
    const StagedEvaluation some = attacks::evaluate_stages(
        s.Scene::network, s.split, stages,
        {.batch = 7, .seed = 7, .keep_images = KeepImages::yes, .keep_only = chosen});
    REQUIRE(some.evaluation.images.size() == chosen.size() * 81);
    for (std::size_t i = 0; i < chosen.size(); ++i)
      CHECK(same_bits(row(some.evaluation.images, i, 81),
                      row(one.evaluation.images, static_cast<std::size_t>(chosen[i]), 81)));
  }
}

TEST_CASE("stages: another restart starts elsewhere, and nothing else is random") {
  LinearScene s;
  const auto images = [&](const std::string& text, std::size_t stage) {
    const std::vector<Stage> stages = stages_of({text});
    EvaluatorSpec spec{.batch = 40, .seed = 7, .keep_images = KeepImages::yes};
    spec.restart = stages[stage].restart;
    return attacks::Evaluator(s.Scene::network, s.split, *stages[stage].perturbation, spec).run().images;
  };
  CHECK(same_bits(images("apgd-ce:steps=3,restarts=2", 0), images("apgd-ce:steps=3", 0)));
  CHECK(!same_bits(images("apgd-ce:steps=3,restarts=2", 0), images("apgd-ce:steps=3,restarts=2", 1)));
}

TEST_CASE("stages: restarts that lie in one batch are what they are one after the other") {
  LinearScene s;
  bool helped = false;
  for (const std::string text :
       {"apgd-ce:eps=1.5/255,steps=2,restarts=5", "fab:eps=2/255,steps=2,restarts=4",
        "square:eps=1.5/255,queries=6,restarts=4", "noise:norm=l2,eps=0.3,restarts=6"}) {
    CAPTURE(text);
    const std::vector<Stage> stages = stages_of({text});
    // 32 images are right: batches of 20 have no room for a second attempt at all of them.
    const StagedEvaluation apart = run(s, stages, 20), together = run(s, stages, 400);
    CHECK(same_bits(apart.evaluation.images, together.evaluation.images));
    CHECK(same_bits(apart.evaluation.logits, together.evaluation.logits));
    CHECK(apart.evaluation.all_gradients == together.evaluation.all_gradients);
    REQUIRE(apart.stages.size() == together.stages.size());
    std::int64_t broken = 0;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      CHECK(apart.stages[i].tried == together.stages[i].tried);
      CHECK(apart.stages[i].broken == together.stages[i].broken);
      broken += apart.stages[i].broken;
    }
    helped = helped || broken > apart.stages[0].broken;
    CHECK(broken < 32);
    std::vector<std::int64_t> chosen = {0, 1, 2, 13, 39};
    const StagedEvaluation some = attacks::evaluate_stages(
        s.Scene::network, s.split, stages,
        {.batch = 400, .seed = 7, .keep_images = KeepImages::yes, .keep_only = chosen});
    for (std::size_t i = 0; i < chosen.size(); ++i)
      CHECK(same_bits(row(some.evaluation.images, i, 81),
                      row(apart.evaluation.images, static_cast<std::size_t>(chosen[i]), 81)));
  }
  CHECK(helped);  // on a linear model those that follow gradients need no second attempt
}

TEST_CASE("stages: what a weaker attack broke stays as it is, and the others are attacked") {
  LinearScene s;
  const StagedEvaluation weak = run(s, stages_of({"pgd:eps=1/255,alpha=1/255,steps=3"}), 16);
  for (const std::string text :
       {"pgd:eps=2/255,alpha=1/255,steps=3", "apgd-ce:eps=2/255,steps=4,restarts=2"}) {
    CAPTURE(text);
    const std::vector<Stage> stages = stages_of({text});
    const StagedEvaluation anew = run(s, stages, 16),
                           after = attacks::evaluate_stages(
                               s.Scene::network, s.split, stages,
                               {.batch = 16, .seed = 7, .keep_images = KeepImages::yes}, &weak.evaluation);
    const std::vector<std::int32_t> before = attacks::argmax_rows(weak.evaluation.logits, kClasses);
    std::int64_t left = 0;
    for (std::size_t i = 0; i < kImages; ++i) {
      const bool right = before[i] == s.split.labels[i];
      left += right ? 1 : 0;
      const Evaluation& expected = right ? anew.evaluation : weak.evaluation;
      CHECK(same_bits(row(after.evaluation.images, i, 81), row(expected.images, i, 81)));
      CHECK(same_bits(row(after.evaluation.logits, i, kClasses), row(expected.logits, i, kClasses)));
    }
    CHECK(after.stages[0].tried == left);
    CHECK(left < 32);
    CHECK(after.stages[0].broken > 0);
    CHECK(after.evaluation.image_passes.backward < anew.evaluation.image_passes.backward);
  }
}

TEST_CASE("stages: an attack that needs more classes, or frozen statistics, is refused") {
  LinearScene two(2);
  check_throws(ErrorKind::usage, "DLR compares the 3 largest logits, and there are 2 classes",
               [&] { run(two, stages_of({"apgd-dlr"}, 2), 8); });
  check_throws(ErrorKind::usage, "DLR with a target compares the 4 largest logits",
               [&] { run(two, stages_of({"apgd-t:target=1,loss=dlr"}, 2), 8); });
  LinearScene s;
  check_throws(ErrorKind::usage, "expected frozen statistics", [&] {
    attacks::evaluate_stages(s.Scene::network, s.split, stages_of({"apgd-ce:restarts=2"}),
                             {.attack_norm = NormMode::batch_no_update});
  });
}

TEST_CASE("stages: an image that is broken early ends its work, and the gradients that count") {
  LinearScene s;
  // Everything falls at such a radius: far fewer gradients than steps.
  const StagedEvaluation e = run(s, stages_of({"apgd-ce:eps=0.5,steps=100"}), 8);
  CHECK(attacks::judge_robustness(e.evaluation).robust_correct == 0);
  CHECK(total(e.evaluation.all_gradients) < 20 * kImages);
  // A gradient of an image is a pass, and each step a query; judging takes two forward passes a stage.
  CHECK(e.evaluation.image_passes.backward >= static_cast<std::int64_t>(total(e.evaluation.all_gradients)));
  CHECK(e.evaluation.image_passes.backward < 20 * kImages);
}

TEST_CASE("stages: passes are counted by image, stage by stage") {
  LinearScene s;
  const StagedEvaluation e =
      run(s, stages_of({"pgd:eps=1/255,alpha=1/255,steps=3", "mifgsm:eps=1/255,steps=5"}), 7);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t steps = i == 0 ? 3 : 5;
    CHECK(e.stages[i].image_passes.forward == e.stages[i].tried * (steps + 2));
    CHECK(e.stages[i].image_passes.backward == e.stages[i].tried * steps);
  }
  CHECK(e.evaluation.image_passes.forward ==
        kImages + e.stages[0].image_passes.forward + e.stages[1].image_passes.forward);
}

TEST_CASE("apgd: on linear models it reaches the worst case, for every image and loss, in both norms") {
  for (const std::string loss : {"apgd-ce", "apgd-t"})
    for (const std::string norm : {"linf", "l2"}) {
      CAPTURE(loss);
      CAPTURE(norm);
      const Shape image{1, 1, 6, 5};
      LinearModel model(image, 2, 11);
      ImageSplit split = split_between(60, image, 2, 70, 180, 12);
      model.centre(split, 0);
      const double eps = norm == "linf" ? 0.02 : 0.1;
      const std::string text = loss + ":norm=" + norm + ",eps=" + std::to_string(eps);
      const Evaluation e =
          attacks::evaluate_stages(model.network(), split, attacks::parse_attacks(text).front().stages(2),
                                   {.batch = 60, .keep_images = KeepImages::yes})
              .evaluation;
      std::int64_t robust = 0, decided = 0;
      for (std::int64_t i = 0; i < split.count; ++i) {
        const std::vector<double> x = image_of(split, i);
        const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
        const std::vector<double> g = model.margin_gradient(label);
        double clean = 0;
        for (std::size_t j = 0; j < x.size(); ++j) clean += g[j] * x[j];
        const double least =
            model.margin(x, label) - clean + (norm == "linf" ? least_linf(g, x, eps) : least_l2(g, x, eps));
        REQUIRE(std::abs(least) > 1e-6);
        if (model.margin(x, label) > 0 && least > 0) {
          ++robust;
          // What was not broken is the worst of the ball.
          const double found = model.margin(attacked_image(e, i), label);
          decided += std::abs(found - least) <= 1e-3 * (model.margin(x, label) - least) ? 1 : 0;
        }
      }
      CHECK(attacks::judge_robustness(e).robust_correct == robust);
      CHECK(robust > 0);
      CHECK(robust < split.count / 2);
      CHECK(decided == robust);
    }
}

}  // namespace inocula::test
