// Training and attacks on a GPU: graphs against single launches, run against run, and against the CPU.
#include <cuda_runtime_api.h>

#include <cmath>
#include <memory>
#include <utility>

#include "attacks/evaluate.h"
#include "attacks/pgd.h"
#include "attacks/registry.h"
#include "engine/backends/cuda/backend.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/free.h"
#include "engine/trainer.h"
#include "io/synthetic.h"
#include "kernels/tables.h"
#include "models/registry.h"
#include "tests/cuda/callers_memory.h"
#include "tests/engine/forwarding_backend.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

const Shape kImage{1, 1, 28, 28};
constexpr std::int64_t kClasses = 3, kBatch = 8;

Device gpu(const DeviceOptions& options = {}) {
  return Device::open("cuda:0", options);
}

/// Never takes a Program down: every step is launched by itself.
class EagerBackend final : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  std::unique_ptr<Replay> capture(const std::vector<NamedLaunch>&) override { return nullptr; }
};

Device eager_gpu() {
  const KernelTable& kernels = cuda::kernel_table();
  return Device("cuda:0", 1, std::make_unique<EagerBackend>(cuda::make_backend(kernels, {})), kernels);
}

/// Weights, statistics and sums after some steps of adversarial training.
struct Trained {
  std::vector<float> weights, statistics;
  TrainingTally tally;
};

enum class Leftovers { as_they_are, poisoned };

Trained train(const Device& device, const Objective& objective, Leftovers leftovers) {
  Network network(small_resnet(kImage, 8, kClasses), device);
  network.initialize(3);
  Trainer trainer(network, objective, random_split(3 * kBatch, kImage, kClasses, 5),
                  {.epochs = 2,
                   .batch = kBatch,
                   .optimizer = {},
                   .schedule = {.peak = 0.05, .milestones = {}},
                   .augmentation = {.flip = true, .shift = 1},
                   .seed = 9});
  while (!trainer.done()) {
    if (leftovers == Leftovers::poisoned) trainer.program().poison();
    trainer.run_step();
  }
  return {all_weights(network), all_statistics(network), trainer.tally()};
}

Trained train(const Device& device, attacks::Norm norm, Leftovers leftovers) {
  const attacks::Pgd attack({.norm = norm,
                             .eps = norm == attacks::Norm::linf ? 0.05 : 0.5,
                             .alpha = norm == attacks::Norm::linf ? 0.02 : 0.2,
                             .steps = 3,
                             .iterate = attacks::Iterate::best,
                             .target = {}});
  return train(device, AdversarialTraining("pgd", attack, NormMode::frozen, 4), leftovers);
}

void check_same(const Trained& a, const Trained& b) {
  CHECK(same_bits(a.weights, b.weights));
  CHECK(same_bits(a.statistics, b.statistics));
  CHECK(a.tally.loss == b.tally.loss);
  CHECK(a.tally.correct == b.tally.correct);
}

}  // namespace

TEST_CASE(
    "gpu: a training as one graph a step gives the bits of single launches, of a second run, and of poisoned "
    "memory") {
  for (const attacks::Norm norm : {attacks::Norm::linf, attacks::Norm::l2}) {
    const Device replaying = gpu(), eager = eager_gpu();
    const Trained once = train(replaying, norm, Leftovers::as_they_are);
    check_same(once, train(replaying, norm, Leftovers::as_they_are));
    check_same(once, train(replaying, norm, Leftovers::poisoned));
    check_same(once, train(eager, norm, Leftovers::as_they_are));
  }
}

TEST_CASE(
    "gpu: free training, whose perturbation outlives its step, gives the bits of single launches and a "
    "second run") {
  const Device replaying = gpu(), eager = eager_gpu();
  const FreeTraining objective(0.05, 3);
  const Trained once = train(replaying, objective, Leftovers::as_they_are);
  check_same(once, train(replaying, objective, Leftovers::as_they_are));
  check_same(once, train(replaying, objective, Leftovers::poisoned));
  check_same(once, train(eager, objective, Leftovers::as_they_are));
}

TEST_CASE("gpu: every attack gives the same bits in graphs, by single launches and in a second run") {
  constexpr std::int64_t kMany = 10;  // for the ensembles
  const Device replaying = gpu(), eager = eager_gpu();
  const Graph graph = small_resnet(kImage, 8, kMany);
  Network network(graph, replaying), same(graph, eager);
  network.initialize(3);
  same.initialize(3);
  const ImageSplit split = random_split(3 * kBatch - 1, kImage, kMany, 5);
  for (const std::string& spec : attacks::sample_attacks()) {
    CAPTURE(spec);
    for (const attacks::Stage& stage : attacks::parse_attacks(spec)[0].stages(kMany)) {
      const auto run = [&](Network& on) {
        return attacks::Evaluator(on, split, *stage.perturbation,
                                  {.batch = kBatch,
                                   .seed = 9,
                                   .keep_images = attacks::KeepImages::yes,
                                   .restart = stage.restart})
            .run();
      };
      const attacks::Evaluation once = run(network), again = run(network), there = run(same);
      CHECK(same_bits(once.images, again.images));
      CHECK(same_bits(once.images, there.images));
      CHECK(same_bits(once.logits, there.logits));
      CHECK(once.image_passes.forward == there.image_passes.forward);
    }
  }
}

TEST_CASE("gpu: it learns what the CPU learns, and an attack finds as much") {
  const ImageData data = synthesize({.count = 1000, .seed = 1});
  const auto judged = [&](const Device& device) {
    const ImageSplit& train = data.train;
    Network network(models::build("resnet18:width=8", {train.channels, train.height, train.width, {}, {}}, 2),
                    device);
    network.initialize(1);
    attacks::PgdSpec spec;
    spec.eps = 2.0 / 255;
    spec.alpha = 0.5 / 255;
    spec.steps = 4;
    const attacks::Pgd attack(spec);
    const AdversarialTraining objective("pgd", attack, NormMode::frozen, spec.steps);
    Trainer trainer(network, objective, train,
                    {.epochs = 6,
                     .batch = 32,
                     .optimizer = {},
                     .schedule = {.peak = 0.05, .milestones = {}},
                     .augmentation = {}});
    while (!trainer.done()) trainer.run_step();
    attacks::Evaluator evaluator(network, data.test, attack, {.batch = 32});
    return attacks::judge_robustness(evaluator.run());
  };
  const attacks::Robustness on_cpu = judged(cpu_of_two_threads()), on_gpu = judged(gpu());
  // Training magnifies the roundings in which the two differ; each has to lie in the other's interval.
  const auto within = [](double v, const attacks::Interval& i) { return v >= i.low && v <= i.high; };
  CHECK(within(on_gpu.robust_accuracy, on_cpu.robust_accuracy_ci95));
  CHECK(within(on_cpu.robust_accuracy, on_gpu.robust_accuracy_ci95));
  CHECK(std::abs(static_cast<double>(on_gpu.clean_correct - on_cpu.clean_correct)) <=
        0.1 * static_cast<double>(data.test.count));
}

TEST_CASE("gpu: memory that it does not have is refused, and names both sizes") {
  const Device device = gpu();
  check_throws(ErrorKind::missing_package,
               "out of memory on cuda:0: 1.04858e+06 GiB are needed in one piece, ",
               [&] { Buffer(device, std::size_t{1} << 50); });
  check_still_works(device);
}

TEST_CASE("gpu: a caller's stream and allocator are used, and everything is given back") {
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  CallersMemory memory;
  {
    DeviceOptions options;
    options.stream = stream;
    options.allocator = memory.allocator();
    const Device device = gpu(options);
    train(device, attacks::Norm::linf, Leftovers::as_they_are);
    CHECK(memory.taken() > 0);
  }
  CHECK(memory.held() == 0);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

}  // namespace inocula::test
