// The CUDA backend's own code on GPUs that are as late as a GPU may be, and that fail wherever one may fail.
#include "tests/cuda/lazy_gpu/lazy_gpu.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "attacks/evaluate.h"
#include "attacks/registry.h"
#include "engine/backends/cuda/backend.h"
#include "engine/objectives/adversarial.h"
#include "engine/trainer.h"
#include "tests/cuda/callers_memory.h"
#include "tests/cuda/lazy_gpu/cuda_runtime_api.h"
#include "tests/engine/by_hand.h"
#include "tests/engine/channels_last.h"
#include "tests/engine/harness.h"

namespace inocula::test {
namespace {

const Shape kImage{1, 1, 9, 8};
constexpr std::int64_t kClasses = 3, kBatch = 4;

Device open_lazy(const cuda::BackendOptions& options = {}) {
  const KernelTable& kernels = lazy_gpu::kernels();
  return Device("cuda:" + std::to_string(options.ordinal), 1, cuda::make_backend(kernels, options), kernels);
}

struct Results {
  std::vector<float> weights, statistics, logits;
  bool operator==(const Results&) const = default;
};

/// A training of two epochs, every batch shuffled and moved, and an attack whose turns the host counts.
Results train_and_attack(const Device& device) {
  const ImageSplit split = random_split(2 * kBatch, kImage, kClasses, 5);
  Network network(graph_by_hand(kImage, kClasses), device);
  network.initialize(3);
  const attacks::Pgd attack({.eps = 0.05, .alpha = 0.02, .steps = 2, .target = {}});
  const AdversarialTraining objective("pgd", attack, NormMode::frozen, 2);
  Trainer trainer(network, objective, split,
                  {.epochs = 2,
                   .batch = kBatch,
                   .optimizer = {},
                   .schedule = {.peak = 0.05, .milestones = {}},
                   .augmentation = {.flip = true, .shift = 1},
                   .seed = 9});
  while (!trainer.done()) trainer.run_step();
  const std::vector<attacks::Stage> stages =
      attacks::parse_attacks("apgd-ce:eps=8/255,steps=5")[0].stages(kClasses);
  attacks::Evaluator evaluator(network, split, *stages[0].perturbation, {.batch = kBatch});
  return {all_weights(network), all_statistics(network), evaluator.run().logits};
}

/// Each case begins with sound devices and ends with nothing left on them.
struct Sound {
  Sound() { lazy_gpu::reset(); }
  ~Sound() {
    lazy_gpu::reset();
    CHECK(lazy_gpu::alive() == 0);
    CHECK(lazy_gpu::current_device() == 0);
  }
  Sound(const Sound&) = delete;
  Sound& operator=(const Sound&) = delete;
};

}  // namespace

TEST_CASE("lazy GPU: however late the device is, the results are those of steps done one by one") {
  const Sound sound;
  const Results expected = train_and_attack(channels_last(Fusion::all));
  for (const int ordinal : {0, 1}) {
    const std::size_t before = lazy_gpu::launches();
    CHECK(train_and_attack(open_lazy({.ordinal = ordinal})) == expected);
    CHECK(lazy_gpu::launches() >= before + 4);
  }
}

TEST_CASE(
    "lazy GPU: where the runtime is asked to wait for each launch, no graph is made, and the bits are the "
    "same") {
  const Sound sound;
  const Results expected = train_and_attack(channels_last(Fusion::all));
  const std::size_t before = lazy_gpu::launches();
  REQUIRE(setenv("CUDA_LAUNCH_BLOCKING", "1", 1) == 0);
  CHECK(train_and_attack(open_lazy()) == expected);
  unsetenv("CUDA_LAUNCH_BLOCKING");
  CHECK(lazy_gpu::launches() == before);
}

TEST_CASE("lazy GPU: the device's clock gives a lap for each piece, however many there are") {
  const Sound sound;
  const Device device = open_lazy();
  constexpr std::int64_t kFloats = 64;
  Buffer from(device, kFloats * sizeof(float)), to(device, kFloats * sizeof(float));
  const std::unique_ptr<Stopwatch> watch = device.backend().make_stopwatch();
  constexpr std::size_t kPieces = 2500;
  for (int turn = 0; turn < 2; ++turn) {
    for (std::size_t i = 0; i < kPieces; ++i) {
      device.backend().run([&](const Queue& queue) {
        watch->begin();
        device.kernels().fill(queue, {from.as<float>(), kFloats, static_cast<float>(i)});
        watch->end();
      });
    }
    const std::vector<double> laps = watch->laps();
    CHECK(laps.size() == kPieces);
    for (const double lap : laps) CHECK(lap == doctest::Approx(1e-3));
  }
  device.backend().copy(to.as<void>(), from.as<void>(), kFloats * sizeof(float));
  std::vector<float> read(kFloats);
  to.download(read.data(), read.size());
  CHECK(read == std::vector<float>(kFloats, kPieces - 1));
}

TEST_CASE("lazy GPU: a caller's stream and allocator are used, and everything is given back") {
  const Sound sound;
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  CallersMemory memory;
  cuda::BackendOptions options;
  options.stream = stream;
  options.allocator = memory.allocator();
  CHECK(train_and_attack(open_lazy(options)) == train_and_attack(channels_last(Fusion::all)));
  CHECK(memory.taken() > 0);
  CHECK(memory.held() == 0);

  options.allocator.allocate = [](std::size_t bytes) -> void* {
    void* piece = nullptr;
    return bytes <= 1024 && cudaMalloc(&piece, bytes) == cudaSuccess ? piece : nullptr;
  };
  options.allocator.free_bytes = [] { return std::size_t{512}; };
  check_throws(ErrorKind::missing_package, "4.76837e-07 GiB are free; ",
               [&] { Buffer(open_lazy(options), 1 << 20); });
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("lazy GPU: memory that is not there is refused by name and figures, and the device goes on") {
  const Sound sound;
  const Device device = open_lazy();
  lazy_gpu::set_memory(std::size_t{3} << 20);
  check_throws(ErrorKind::missing_package,
               "out of memory on cuda:0: 0.00390625 GiB are needed in one piece, ",
               [&] { Buffer(device, std::size_t{4} << 20); });
  check_still_works(device);
}

TEST_CASE("lazy GPU: a kernel that breaks the device is looked for in the work that was enqueued last") {
  const Sound sound;
  const Device device = open_lazy();
  const ImageSplit split = random_split(kBatch, kImage, kClasses, 5);
  Network network(graph_by_hand(kImage, kClasses), device);
  network.initialize(3);
  const attacks::Pgd attack({.eps = 0.05, .alpha = 0.02, .steps = 2, .target = {}});
  attacks::Evaluator evaluator(network, split, attack, {.batch = kBatch});
  evaluator.run();
  lazy_gpu::break_device();
  const Thrown thrown = thrown_by([&] { evaluator.run(); });
  CAPTURE(thrown.text);
  CHECK(static_cast<int>(thrown.kind) == static_cast<int>(ErrorKind::internal));
  for (const char* part :
       {"on cuda:0", ", after 'a graph of ", "cudaErrorIllegalAddress", "engine/backends/cuda/"})
    CHECK(thrown.text.find(part) != std::string::npos);
}

TEST_CASE("lazy GPU: whichever call fails, one Error names it and nothing is left behind") {
  const Sound sound;
  int failures = 0;
  // All calls of the beginning, and later ones in strides of no period.
  for (int call = 0;; call += 1 + call / 40) {
    lazy_gpu::reset();
    lazy_gpu::fail_call(call);
    std::string text;
    try {
      train_and_attack(open_lazy());
    } catch (const Error& e) {
      text = e.what();
      CAPTURE(text);
      CHECK((e.kind() == ErrorKind::internal || e.kind() == ErrorKind::missing_package));
      CHECK(text.find('\n') == std::string::npos);
    }
    const std::string failed = lazy_gpu::failed_call();
    if (failed.empty()) break;
    CAPTURE(call);
    CAPTURE(failed);
    failures += 1;
    REQUIRE(lazy_gpu::alive() == 0);
    REQUIRE(lazy_gpu::current_device() == 0);
    // At the very end, when all is given back, nobody is told.
    CHECK((!text.empty() || failed == "cudaStreamSynchronize"));
  }
  CHECK(failures > 100);
}

}  // namespace inocula::test
