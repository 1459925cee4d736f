// Training for consistent answers, TRADES among it: steps written out in double, views together and one by
// one.
#include "engine/objectives/consistent.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include "attacks/corruption.h"
#include "attacks/pgd.h"
#include "attacks/sequence.h"
#include "engine/objectives/adversarial.h"
#include "kernels/normal.h"
#include "tests/engine/by_hand.h"
#include "tests/engine/capturing_backend.h"
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

/// Mean over the images of cross-entropy and weighted divergence, from the logits of all views.
double loss_of(const std::vector<double>& logits, const std::vector<std::int32_t>& label,
               Divergence divergence) {
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
      if (divergence == Divergence::kullback_leibler) {
        loss += kWeight * p[0][j] * std::log(p[0][j] / p[1][j]);
        continue;
      }
      double mean = 0;
      for (const auto& q : p) mean += q[j] / static_cast<double>(views);
      for (const auto& q : p) loss += kWeight / static_cast<double>(views) * q[j] * std::log(q[j] / mean);
    }
  }
  return loss / static_cast<double>(n);
}

/// Its gradient by the logits, by central differences: exact to 1e-9 for logits of order 1.
std::vector<double> gradient_of(const std::vector<double>& logits, const std::vector<std::int32_t>& label,
                                Divergence divergence) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::vector<double> more = logits, less = logits;
    more[i] += kStep;
    less[i] -= kStep;
    gradient.push_back((loss_of(more, label, divergence) - loss_of(less, label, divergence)) / (2 * kStep));
  }
  return gradient;
}

/// The batch with noise for this purpose and of this level, as step `step` makes it.
std::vector<double> noisy(const BatchByHand& batch, std::int64_t step, double deviation,
                          Draw purpose = Draw::corrupt) {
  std::vector<double> x = batch.clean;
  const auto pixels = static_cast<std::size_t>(kImage.per_sample());
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = std::clamp(x[i] + deviation * double{normal(4, purpose, 0, static_cast<std::uint32_t>(step),
                                                       static_cast<std::uint32_t>(batch.sample[i / pixels]),
                                                       static_cast<std::uint32_t>(i % pixels))},
                      0.0, 1.0);
  return x;
}

/// A network, its double, and images for two batches, always from the same start.
struct Scene {
  explicit Scene(const Device& device = precise_cpu()) : network(graph_by_hand(kImage, kClasses), device) {}
  Network network;
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

ReferenceGradients operator+(ReferenceGradients a, const ReferenceGradients& b) {
  for (const auto& [name, values] : b.weights) {
    std::vector<double>& all = a.weights[name];
    all.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) all[i] += values[i];
  }
  return a;
}

/// What makes the views beside the images as they are.
using MakeViews =
    std::function<std::vector<std::vector<double>>(Reference&, const BatchByHand&, std::int64_t step)>;

MakeViews with_noise(const std::vector<double>& deviations) {
  return [=](Reference&, const BatchByHand& batch, std::int64_t step) {
    std::vector<std::vector<double>> views;
    for (const double deviation : deviations) views.push_back(noisy(batch, step, deviation));
    return views;
  };
}

/// TRADES's attack: from next to the images so many steps along the sign of the gradient of
/// KL(p(x) || p(x')), whose gradient by the logits of x' is p(x') - p(x).
constexpr double kEps = 0.05, kAlpha = 0.02;
constexpr std::int64_t kSteps = 3;
std::vector<std::vector<double>> attacked(Reference& reference, const BatchByHand& batch, std::int64_t step) {
  const auto answers = [&](const ReferenceTrace& trace) {
    std::vector<double> p = trace.logits();
    const auto k = static_cast<std::size_t>(kClasses);
    for (std::size_t first = 0; first < p.size(); first += k) {
      double sum = 0;
      for (std::size_t j = first; j < first + k; ++j) sum += p[j] = std::exp(p[j]);
      for (std::size_t j = first; j < first + k; ++j) p[j] /= sum;
    }
    return p;
  };
  const std::vector<double> p = answers(reference.forward(batch.clean, NormMode::frozen));
  std::vector<double> x = noisy(batch, step, 0.001, Draw::start);
  for (std::int64_t t = 0; t < kSteps; ++t) {
    const ReferenceTrace trace = reference.forward(x, NormMode::frozen);
    std::vector<double> slope = answers(trace);
    for (std::size_t i = 0; i < p.size(); ++i) slope[i] -= p[i];
    const std::vector<double> g = reference.backward(trace, slope).images;
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = std::clamp(
          std::clamp(x[i] + kAlpha * sign_of(g[i]), batch.clean[i] - kEps, batch.clean[i] + kEps), 0.0, 1.0);
  }
  return {x};
}

/// Trains for two epochs as a GPU does, in graphs, beside the same steps one by one.
void check_replays(const ConsistentTraining& objective) {
  CaptureCounts counts;
  const Device device = capturing_device(counts);
  Scene replayed(device), eager(channels_last(Fusion::none));
  Trainer trainer(replayed.network, objective, replayed.split, spec_by_hand()),
      same(eager.network, objective, eager.split, spec_by_hand());
  while (!trainer.done()) {
    trainer.run_step();
    same.run_step();
    REQUIRE(same_bits(all_weights(replayed.network), all_weights(eager.network)));
    REQUIRE(same_bits(all_statistics(replayed.network), all_statistics(eager.network)));
  }
  CHECK(counts.captures == 1);
  CHECK(counts.eager == 0);
}

/// Trains for two epochs, each step beside one in double.
void check_steps(const ConsistentTraining& objective, Divergence divergence, ViewPasses passes,
                 const MakeViews& make_views) {
  check_replays(objective);
  Scene scene;
  auto& [network, reference, split] = scene;
  Trainer trainer(network, objective, split, spec_by_hand());
  for (std::int64_t step = 0; step < trainer.total_steps(); ++step) {
    CAPTURE(step);
    const BatchByHand batch = batch_by_hand(split, spec_by_hand(), step);
    std::vector<std::vector<double>> views = make_views(reference, batch, step);
    views.insert(views.begin(), batch.clean);
    if (passes == ViewPasses::together) {
      std::vector<double> all;
      for (const std::vector<double>& view : views) all = joined(std::move(all), view);
      views = {std::move(all)};
    }
    std::vector<ReferenceTrace> traces;
    std::vector<double> logits;
    for (const std::vector<double>& view : views) {
      traces.push_back(reference.forward(view, NormMode::batch));
      logits = joined(std::move(logits), traces.back().logits());
    }
    const std::vector<double> dlogits = gradient_of(logits, batch.label, divergence);
    const std::size_t one = dlogits.size() / traces.size();
    ReferenceGradients sum;
    for (std::size_t v = 0; v < traces.size(); ++v)
      sum = std::move(sum) +
            reference.backward(traces[v], std::span<const double>(dlogits).subspan(v * one, one));
    reference.sgd_step(sum, kRate);
    trainer.clear_tally();
    trainer.run_step();
    CHECK(trainer.tally().loss ==
          doctest::Approx(kBatch * loss_of(logits, batch.label, divergence)).epsilon(1e-5));
    CHECK(worst_weight_error(network, reference) < kTolerance);
    CHECK(worst_statistics_error(network, reference) < kTolerance);
    CHECK(network.parameters().batches_tracked == static_cast<std::int64_t>(views.size()) * (step + 1));
  }
}

}  // namespace

TEST_CASE("consistent: with views together a step is AugMix's, written out in double") {
  const NoiseCorruption weak(Corruption::gaussian_noise, 0.01), strong(Corruption::gaussian_noise, 0.09);
  check_steps({"augmix", {&weak, &strong}, kWeight, ViewPasses::together}, Divergence::jensen_shannon,
              ViewPasses::together, with_noise({0.1, 0.3}));
}

TEST_CASE("consistent: with views one by one each has its own statistics, written out in double") {
  const NoiseCorruption weak(Corruption::gaussian_noise, 0.01), strong(Corruption::gaussian_noise, 0.09);
  check_steps({"robustaugmix", {&weak, &strong}, kWeight, ViewPasses::one_by_one}, Divergence::jensen_shannon,
              ViewPasses::one_by_one, with_noise({0.1, 0.3}));
}

TEST_CASE("consistent: the divergence of one view's answers from the images' own, written out in double") {
  const NoiseCorruption strong(Corruption::gaussian_noise, 0.09);
  for (const ViewPasses passes : {ViewPasses::one_by_one, ViewPasses::together}) {
    CAPTURE(static_cast<int>(passes));
    check_steps({"trades", {&strong}, kWeight, passes, Divergence::kullback_leibler},
                Divergence::kullback_leibler, passes, with_noise({0.3}));
  }
}

TEST_CASE("consistent: steps are those of TRADES, written out in double") {
  const attacks::Pgd attack({.eps = kEps,
                             .alpha = kAlpha,
                             .steps = kSteps,
                             .start = attacks::Start::normal,
                             .target = {},
                             .loss = attacks::AttackLoss::divergence});
  for (const ViewPasses passes : {ViewPasses::one_by_one, ViewPasses::together}) {
    CAPTURE(static_cast<int>(passes));
    check_steps({"trades", {&attack}, kWeight, passes, Divergence::kullback_leibler},
                Divergence::kullback_leibler, passes, attacked);
  }
}

TEST_CASE("consistent: the attack of TRADES passes the clean images once a step") {
  const ImageSplit split = random_split(2 * kBatch, kImage, kClasses, 5);
  const auto forwards = [&](std::int64_t steps) {
    Network network(graph_by_hand(kImage, kClasses), cpu());
    network.initialize(7);
    const attacks::Pgd attack({.eps = kEps,
                               .alpha = kAlpha,
                               .steps = steps,
                               .start = attacks::Start::normal,
                               .target = {},
                               .loss = attacks::AttackLoss::divergence});
    const ConsistentTraining objective("trades", {&attack}, kWeight, ViewPasses::one_by_one,
                                       Divergence::kullback_leibler);
    Trainer trainer(network, objective, split, spec_by_hand());
    trainer.run_step();
    CHECK(launches_of(trainer, "loss.kl_divergence") == steps);
    CHECK(launches_of(trainer, "loss.kl_ce") == 1);
    return launches_of(trainer, "linear.forward");
  };
  // Each of the attack's steps, the clean images for it, and the two views of the loss.
  CHECK(forwards(3) == 3 + 1 + 2);
  CHECK(forwards(10) == 10 + 1 + 2);
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
  check_throws(ErrorKind::usage, "trades: 2 views, expected 1 beside the images as they are", [&] {
    ConsistentTraining("trades", {&noise, &noise}, kWeight, ViewPasses::together,
                       Divergence::kullback_leibler);
  });
  check_throws(ErrorKind::usage, "weight of the divergence is -1, expected 0 or more",
               [&] { ConsistentTraining("augmix", {&noise}, -1, ViewPasses::together); });
}

}  // namespace inocula::test
