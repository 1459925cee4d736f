// Training for consistent answers: its steps written out in double, views together and one by one.
#include "engine/objectives/consistent.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "attacks/corruption.h"
#include "attacks/pgd.h"
#include "attacks/sequence.h"
#include "engine/objectives/adversarial.h"
#include "kernels/normal.h"
#include "tests/engine/by_hand.h"
#include "tests/engine/graphs.h"

namespace inocula::test {

namespace {

using attacks::Corruption;
using attacks::NoiseCorruption;

const Shape kImage{1, 1, 9, 8};
constexpr std::int64_t kClasses = 3, kBatch = 4;
constexpr double kRate = 0.02, kWeight = 12;
/// After a few steps; a wrong step errs by a hundredth and more.
constexpr double kTolerance = 1e-4;

TrainerSpec spec_by_hand() {
  return {.epochs = 2,
          .batch = kBatch,
          .optimizer = {.kind = OptimizerKind::sgd, .momentum = 0},
          .schedule = {.peak = kRate, .milestones = {}},
          .augmentation = {},
          .seed = 4};
}

/// Mean over the images of cross-entropy and weighted divergence, from the logits of three views.
double loss_of(const std::vector<double>& logits, const std::vector<std::int32_t>& label) {
  const auto n = label.size(), k = static_cast<std::size_t>(kClasses), views = logits.size() / (n * k);
  double loss = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<std::vector<double>> p;
    for (std::size_t v = 0; v < views; ++v) {
      const double* const z = logits.data() + (v * n + i) * k;
      double sum = 0;
      for (std::size_t j = 0; j < k; ++j) sum += std::exp(z[j]);
      p.emplace_back();
      for (std::size_t j = 0; j < k; ++j) p.back().push_back(std::exp(z[j]) / sum);
    }
    loss -= std::log(p[0][static_cast<std::size_t>(label[i])]);
    for (std::size_t j = 0; j < k; ++j) {
      double mean = 0;
      for (const auto& q : p) mean += q[j] / static_cast<double>(views);
      for (const auto& q : p) loss += kWeight / static_cast<double>(views) * q[j] * std::log(q[j] / mean);
    }
  }
  return loss / static_cast<double>(n);
}

/// Its gradient by the logits, by central differences: exact to 1e-9 for logits of order 1.
std::vector<double> gradient_of(const std::vector<double>& logits, const std::vector<std::int32_t>& label) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::vector<double> more = logits, less = logits;
    more[i] += kStep;
    less[i] -= kStep;
    gradient.push_back((loss_of(more, label) - loss_of(less, label)) / (2 * kStep));
  }
  return gradient;
}

/// The batch with noise of this kind and level, as step `step` makes it.
std::vector<double> noisy(const BatchByHand& batch, std::int64_t step, double deviation) {
  std::vector<double> x = batch.clean;
  const auto pixels = static_cast<std::size_t>(kImage.per_sample());
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = std::clamp(x[i] + deviation * double{normal(4, Draw::corrupt, 0, static_cast<std::uint32_t>(step),
                                                       static_cast<std::uint32_t>(batch.sample[i / pixels]),
                                                       static_cast<std::uint32_t>(i % pixels))},
                      0.0, 1.0);
  return x;
}

/// A network, its double, and images for two batches, always from the same start.
struct Scene {
  Network network{graph_by_hand(kImage, kClasses), precise_cpu()};
  Reference reference{(network.initialize(7), network)};
  const ImageSplit split = random_split(2 * kBatch, kImage, kClasses, 5);
};

std::vector<double> joined(std::vector<double> a, const std::vector<double>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::int64_t launches_of(Trainer& trainer, const std::string& name) {
  for (const PartTime& part : trainer.program().run_timed())
    if (part.name == name) return part.count;
  return 0;
}

}  // namespace

TEST_CASE("consistent: with views together a step is AugMix's, written out in double") {
  Scene scene;
  auto& [network, reference, split] = scene;
  const NoiseCorruption weak(Corruption::gaussian_noise, 0.01), strong(Corruption::gaussian_noise, 0.09);
  const ConsistentTraining objective("augmix", {&weak, &strong}, kWeight, ViewPasses::together);
  Trainer trainer(network, objective, split, spec_by_hand());
  for (std::int64_t step = 0; step < trainer.total_steps(); ++step) {
    CAPTURE(step);
    const BatchByHand batch = batch_by_hand(split, spec_by_hand(), step);
    const std::vector<double> x =
        joined(joined(batch.clean, noisy(batch, step, 0.1)), noisy(batch, step, 0.3));
    const ReferenceTrace trace = reference.forward(x, NormMode::batch);
    reference.sgd_step(reference.backward(trace, gradient_of(trace.logits(), batch.label)), kRate);
    trainer.clear_tally();
    trainer.run_step();
    CHECK(trainer.tally().loss ==
          doctest::Approx(kBatch * loss_of(trace.logits(), batch.label)).epsilon(1e-5));
    CHECK(worst_weight_error(network, reference) < kTolerance);
    CHECK(worst_statistics_error(network, reference) < kTolerance);
    CHECK(network.parameters().batches_tracked == step + 1);
  }
}

TEST_CASE("consistent: with views one by one each has its own statistics, written out in double") {
  Scene scene;
  auto& [network, reference, split] = scene;
  const NoiseCorruption weak(Corruption::gaussian_noise, 0.01), strong(Corruption::gaussian_noise, 0.09);
  const ConsistentTraining objective("robustaugmix", {&weak, &strong}, kWeight, ViewPasses::one_by_one);
  Trainer trainer(network, objective, split, spec_by_hand());
  for (std::int64_t step = 0; step < trainer.total_steps(); ++step) {
    CAPTURE(step);
    const BatchByHand batch = batch_by_hand(split, spec_by_hand(), step);
    std::vector<ReferenceTrace> traces;
    std::vector<double> logits;
    for (const std::vector<double>& view : {batch.clean, noisy(batch, step, 0.1), noisy(batch, step, 0.3)}) {
      traces.push_back(reference.forward(view, NormMode::batch));
      logits = joined(logits, traces.back().logits());
    }
    const std::vector<double> dlogits = gradient_of(logits, batch.label);
    const std::size_t one = dlogits.size() / 3;
    ReferenceGradients sum;
    for (std::size_t v = 0; v < 3; ++v) {
      const ReferenceGradients g =
          reference.backward(traces[v], std::span<const double>(dlogits).subspan(v * one, one));
      for (const auto& [name, values] : g.weights) {
        std::vector<double>& all = sum.weights[name];
        all.resize(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) all[i] += values[i];
      }
    }
    reference.sgd_step(sum, kRate);
    trainer.run_step();
    CHECK(worst_weight_error(network, reference) < kTolerance);
    CHECK(worst_statistics_error(network, reference) < kTolerance);
    CHECK(network.parameters().batches_tracked == 3 * (step + 1));
  }
}

TEST_CASE("consistent: an attack may be a view, and only then are weights prepared for it") {
  const ImageSplit split = random_split(2 * kBatch, kImage, kClasses, 5);
  const NoiseCorruption noise(Corruption::gaussian_noise, 0.01);
  const attacks::Pgd attack({.eps = 0.1, .alpha = 0.05, .steps = 2, .target = {}});
  const auto preparations = [&](std::vector<const Perturbation*> views) {
    Network network(small_resnet(kImage, 3, kClasses), cpu());
    network.initialize(7);
    const ConsistentTraining objective("robustaugmix", std::move(views), kWeight, ViewPasses::one_by_one);
    Trainer trainer(network, objective, split, spec_by_hand());
    trainer.run_step();
    return launches_of(trainer, "norm.fold");
  };
  CHECK(preparations({&noise}) == 0);
  CHECK(preparations({&noise, &attack}) > 0);
}

TEST_CASE("consistent: an attack after an augmentation finds what that made") {
  // RTDA: adversarial training around augmented images. With a ball of next to nothing what is left is the
  // noise.
  Scene scene;
  auto& [network, reference, split] = scene;
  const NoiseCorruption noise(Corruption::gaussian_noise, 0.04);
  const attacks::Pgd attack({.eps = 1e-9, .alpha = 1e-9, .steps = 1, .target = {}});
  const attacks::Sequence both(noise, attack);
  CHECK(both.use() == VictimUse::gradients);
  CHECK(both.spec() == noise.spec() + " then " + attack.spec());
  const AdversarialTraining objective("rtda", both, NormMode::frozen, 1);
  Trainer trainer(network, objective, split, spec_by_hand());
  const BatchByHand batch = batch_by_hand(split, spec_by_hand(), 0);
  const ReferenceTrace trace = reference.forward(noisy(batch, 0, 0.2), NormMode::batch);
  reference.sgd_step(
      reference.backward(trace, reference_softmax_ce(trace.logits(), batch.label, Reduction::mean).dlogits),
      kRate);
  trainer.run_step();
  CHECK(worst_weight_error(network, reference) < kTolerance);
}

TEST_CASE("consistent: settings that make no sense are refused") {
  const NoiseCorruption noise(Corruption::gaussian_noise, 0.01);
  check_throws(ErrorKind::usage, "augmix: 0 views, expected 1 to 7",
               [] { ConsistentTraining("augmix", {}, kWeight, ViewPasses::together); });
  check_throws(ErrorKind::usage, "augmix: 8 views, expected 1 to 7", [&] {
    ConsistentTraining("augmix", std::vector<const Perturbation*>(8, &noise), kWeight, ViewPasses::together);
  });
  check_throws(ErrorKind::usage, "weight of the divergence is -1, expected 0 or more",
               [&] { ConsistentTraining("augmix", {&noise}, -1, ViewPasses::together); });
}

}  // namespace inocula::test
