// "Free" adversarial training: its steps written out in double, its carried perturbation, its bits.
#include "engine/objectives/free.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/engine/allocations.h"
#include "tests/engine/by_hand.h"
#include "tests/engine/capturing_backend.h"
#include "tests/engine/graphs.h"

namespace inocula::test {

namespace {

const Shape kImage{1, 1, 9, 8};
constexpr std::int64_t kClasses = 3, kBatch = 4, kReplays = 3, kBatches = 2;
constexpr double kEps = 0.05, kRate = 0.02;
/// After a few steps; a wrong step errs by a hundredth and more.
constexpr double kTolerance = 1e-4;

TrainerSpec spec_for(const Augmentation& augmentation, const OptimizerSpec& optimizer) {
  return {.epochs = 2,
          .batch = kBatch,
          .optimizer = optimizer,
          .schedule = {.peak = kRate, .milestones = {}},
          .augmentation = augmentation,
          .seed = 4};
}

/// A network, data and a trainer, always from the same start. The split has an image that no batch takes.
struct Run {
  explicit Run(const Device& device)
      : Run(small_resnet(kImage, 3, kClasses), device, {.flip = true, .shift = 1}, {}) {}
  Run(Graph graph, const Device& device, const Augmentation& augmentation, const OptimizerSpec& optimizer)
      : network(std::move(graph), device),
        split(random_split(kBatches * kBatch + 1, kImage, kClasses, 5)),
        objective(kEps, kReplays),
        spec(spec_for(augmentation, optimizer)),
        trainer((network.initialize(7), network), objective, split, spec) {}

  Network network;
  ImageSplit split;
  FreeTraining objective;
  TrainerSpec spec;
  Trainer trainer;
};

}  // namespace

TEST_CASE("free: replays are those of the paper, written out in double, and the perturbation is carried on") {
  Run run(graph_by_hand(kImage, kClasses), precise_cpu(), {}, {.kind = OptimizerKind::sgd, .momentum = 0});
  Reference reference(run.network);
  std::vector<double> delta(static_cast<std::size_t>(kBatch * kImage.per_sample()), 0.0);
  CHECK(run.trainer.total_steps() == 2 * kBatches * kReplays);
  while (!run.trainer.done()) {
    const std::int64_t step = run.trainer.step();
    CAPTURE(step);
    const BatchByHand batch = batch_by_hand(run.split, run.spec, step / kReplays);
    std::vector<double> x = batch.clean;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::clamp(x[i] + delta[i], 0.0, 1.0);
    const ReferenceTrace trace = reference.forward(x, NormMode::batch);
    const ReferenceGradients g =
        reference.backward(trace, reference_softmax_ce(trace.logits(), batch.label, Reduction::mean).dlogits);
    for (std::size_t i = 0; i < x.size(); ++i)
      delta[i] = std::clamp(delta[i] + kEps * sign_of(g.images[i]), -kEps, kEps);
    reference.sgd_step(g, kRate);

    run.trainer.run_step();
    CHECK(relative_error(state_array(run.trainer, "delta"), delta) < 1e-6);
    CHECK(worst_weight_error(run.network, reference) < kTolerance);
    CHECK(worst_statistics_error(run.network, reference) < kTolerance);
    CHECK(run.network.parameters().batches_tracked == step + 1);
    // What the next step finds: not nothing, and nowhere beyond the ball.
    CHECK(std::all_of(delta.begin(), delta.end(), [](double d) { return std::abs(d) <= kEps; }));
    CHECK(root_mean_square(delta) > kEps / 2);
  }
}

TEST_CASE("free: a replay costs one forward and one backward") {
  Run run(cpu());
  run.trainer.run_step();
  std::int64_t statistics = 0, losses = 0, updates = 0;
  for (const PartTime& part : run.trainer.program().run_timed()) {
    if (part.name == "norm.statistics") statistics = part.count;
    if (part.name == "loss.softmax_ce") losses = part.count;
    if (part.name == "optimizer.sgd") updates = part.count;
  }
  CHECK(statistics == 20);  // one for each of the network's norms
  CHECK(losses == 1);
  CHECK(updates == 1);
}

TEST_CASE("free: stopped after every replay and continued in a fresh trainer, it ends in the same bits") {
  Run whole(cpu());
  TrainerState carried = Run(cpu()).trainer.save();
  while (!whole.trainer.done()) {
    CAPTURE(whole.trainer.step());
    Run resumed(cpu());
    resumed.trainer.restore(carried);
    whole.trainer.run_step();
    resumed.trainer.run_step();
    carried = resumed.trainer.save();
    CHECK(same_state(carried, whole.trainer.save()));
  }
  // A trainer that has run elsewhere forgets what it carried.
  Run early(cpu()), used(cpu());
  while (early.trainer.step() < kReplays + 1) early.trainer.run_step();
  while (used.trainer.step() < 2 * kReplays + 2) used.trainer.run_step();
  used.trainer.restore(early.trainer.save());
  while (!used.trainer.done()) used.trainer.run_step();
  CHECK(same_state(used.trainer.save(), whole.trainer.save()));
  // And what is carried matters: without it the end is another.
  Run without(cpu());
  TrainerState state = early.trainer.save();
  for (TrainerState::Array& array : state.arrays)
    if (array.name == "delta") std::fill(array.values.begin(), array.values.end(), 0.0f);
  without.trainer.restore(state);
  while (!without.trainer.done()) without.trainer.run_step();
  CHECK(!same_bits(all_weights(without.network), all_weights(whole.network)));
}

TEST_CASE("free: a state without the carried perturbation, or with another batch's, is refused") {
  Run run(cpu());
  const TrainerState good = run.trainer.save();
  TrainerState bad = good;
  bad.arrays.pop_back();
  check_throws(ErrorKind::bad_data, "has 3 arrays, expected 4", [&] { run.trainer.restore(bad); });
  bad = good;
  bad.arrays.back().values.pop_back();
  check_throws(ErrorKind::bad_data, "array 'delta'", [&] { run.trainer.restore(bad); });
}

TEST_CASE("free: taken down once and replayed, in poisoned memory too, it gives the bits of single steps") {
  CaptureCounts counts;
  const Device device = capturing_device(counts);
  Run replayed(device), eager(channels_last(Fusion::none)), poisoned(channels_last(Fusion::none));
  while (!replayed.trainer.done()) {
    poisoned.trainer.program().poison();
    for (Run* run : {&replayed, &eager, &poisoned}) run->trainer.run_step();
    REQUIRE(same_state(replayed.trainer.save(), eager.trainer.save()));
    REQUIRE(same_state(poisoned.trainer.save(), eager.trainer.save()));
  }
  CHECK(counts.captures == 1);
  CHECK(counts.eager == 0);
  CHECK(counts.replays == replayed.trainer.total_steps());
}

TEST_CASE("free: our code allocates nothing in a step") {
  if (!can_count_allocations()) {
    MESSAGE("skipped: AddressSanitizer keeps operator new for itself");
    return;
  }
  Run run(cpu_of_two_threads());
  run.trainer.run_step();  // oneDNN and OpenMP set themselves up
  AllocationCounter counter;
  run.trainer.run_step();
  run.trainer.run_step();
  CHECK(counter.stop().ours == 0);
}

TEST_CASE("free: settings that make no sense are refused") {
  check_throws(ErrorKind::usage, "eps is 0", [] { FreeTraining(0, 4); });
  check_throws(ErrorKind::usage, "eps is 1.5", [] { FreeTraining(1.5, 4); });
  check_throws(ErrorKind::usage, "eps is nan", [] { FreeTraining(std::nan(""), 4); });
  check_throws(ErrorKind::usage, "replays is 0", [] { FreeTraining(0.1, 0); });
}

}  // namespace inocula::test
