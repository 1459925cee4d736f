// FGSM-RS training: what AdversarialTraining and a PGD of one step come to, against the paper's lines in
// double.
#include <algorithm>

#include "attacks/pgd.h"
#include "engine/objectives/adversarial.h"
#include "kernels/draw.h"
#include "tests/engine/by_hand.h"

namespace inocula::test {

namespace {

const Shape kImage{1, 1, 9, 8};
constexpr std::int64_t kClasses = 3, kBatch = 4;
constexpr double kEps = 0.05, kRate = 0.02;
/// After a few steps; a wrong step errs by a hundredth and more.
constexpr double kTolerance = 1e-4;

}  // namespace

TEST_CASE("fast: steps are those of FGSM-RS, written out in double") {
  Network network(graph_by_hand(kImage, kClasses), precise_cpu());
  network.initialize(7);
  Reference reference(network);
  const ImageSplit split = random_split(2 * kBatch, kImage, kClasses, 5);
  const attacks::Pgd attack(
      {.eps = kEps, .alpha = 1.25 * kEps, .steps = 1, .start = attacks::Start::uniform, .target = {}});
  const AdversarialTraining objective("fast", attack, NormMode::batch, attack.pgd().steps);
  const TrainerSpec spec{.epochs = 2,
                         .batch = kBatch,
                         .optimizer = {.kind = OptimizerKind::sgd, .momentum = 0},
                         .schedule = {.peak = kRate, .milestones = {}},
                         .augmentation = {},
                         .seed = 4};
  Trainer trainer(network, objective, split, spec);

  for (std::int64_t step = 0; step < trainer.total_steps(); ++step) {
    CAPTURE(step);
    const BatchByHand batch = batch_by_hand(split, spec, step);
    const auto pixels = static_cast<std::size_t>(kImage.per_sample());
    const auto gradients_at = [&](const std::vector<double>& images, Reduction reduction) {
      const ReferenceTrace trace = reference.forward(images, NormMode::batch);
      return reference.backward(trace, reference_softmax_ce(trace.logits(), batch.label, reduction).dlogits);
    };
    std::vector<double> x = batch.clean;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = uniform_signed(draw(spec.seed, Draw::start, 0, static_cast<std::uint32_t>(step),
                                           static_cast<std::uint32_t>(batch.sample[i / pixels]),
                                           static_cast<std::uint32_t>(i % pixels)));
      x[i] = std::clamp(x[i] + kEps * u, 0.0, 1.0);
    }
    const std::vector<double> g = gradients_at(x, Reduction::sum).images;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double delta = std::clamp(x[i] - batch.clean[i] + 1.25 * kEps * sign_of(g[i]), -kEps, kEps);
      x[i] = std::clamp(batch.clean[i] + delta, 0.0, 1.0);
    }
    reference.sgd_step(gradients_at(x, Reduction::mean), kRate);

    trainer.run_step();
    CHECK(worst_weight_error(network, reference) < kTolerance);
    CHECK(worst_statistics_error(network, reference) < kTolerance);
    CHECK(network.parameters().batches_tracked == 2 * (step + 1));
  }
}

}  // namespace inocula::test
