// Depth first: which layers run in slices of a batch, and that nobody can tell by the bits.
#include "engine/strip.h"

#include <memory>
#include <utility>

#include "attacks/pgd.h"
#include "engine/backends/cpu/backend.h"
#include "engine/objectives/adversarial.h"
#include "engine/trainer.h"
#include "models/registry.h"
#include "tests/engine/forwarding_backend.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

/// A CPU whose cores say that they have other caches.
class OtherCache final : public ForwardingBackend {
 public:
  OtherCache(std::unique_ptr<Backend> inner, std::size_t bytes)
      : ForwardingBackend(std::move(inner)), bytes_(bytes) {}
  std::size_t core_cache_bytes() const override { return bytes_; }

 private:
  std::size_t bytes_;
};

struct Cores {
  int threads = 1;
  bool precise = false;
};

Device with_cache(const Cores& cores, std::size_t bytes) {
  const KernelTable& kernels = cpu().kernels();
  return {
      "cpu", cores.threads,
      std::make_unique<OtherCache>(inocula::cpu::make_backend(kernels, cores.threads, cores.precise), bytes),
      kernels};
}

Strip strip_of(const Device& device, const Graph& graph, std::int64_t batch, Precision precision) {
  return find_strip(device, graph, fuse(graph, NormMode::frozen), element_of(precision), batch);
}

/// The cache for which most layers run in slices; 0 where there is none.
std::size_t most_slicing_cache(const Cores& cores, const Graph& graph, std::int64_t batch,
                               Precision precision) {
  std::size_t best = 0, most = 0;
  for (std::size_t bytes = 256; bytes <= std::size_t{4} << 20; bytes += bytes / 4) {
    const std::size_t groups = strip_of(with_cache(cores, bytes), graph, batch, precision).groups;
    if (groups > most) best = bytes, most = groups;
  }
  return best;
}

Graph model(const char* spec, const Shape& image) {
  return models::build(spec,
                       {.channels = image.c, .height = image.h, .width = image.w, .mean = {}, .std = {}}, 3);
}

/// Those of the other tests, and first stages like those of real networks.
std::vector<GraphCase> cases() {
  std::vector<GraphCase> all = graph_cases();
  for (GraphCase& c : all) c.batch *= 2;  // enough for two threads
  all.push_back({"resnet", small_resnet({1, 1, 28, 28}, 16, 3), 12});
  all.push_back({"resnet, odd batch", small_resnet({1, 1, 14, 14}, 16, 3), 21});
  all.push_back({"ImageNet's stem", model("resnet18:width=16,stem=imagenet", {1, 3, 64, 64}), 8});
  all.push_back({"no residual", model("small_cnn:width=16", {1, 1, 28, 28}), 10});
  return all;
}

NetworkPass pass_on(const Device& device, const GraphCase& c, Precision precision, RecordingMode mode) {
  Network network(c.graph, device, precision);
  randomize(network, 5);
  return run_pass(network, random_images(c.graph.input_shape().with_batch(c.batch), 6),
                  random_labels(c.batch, c.graph.classes(), 7), mode, Reduction::sum);
}

std::size_t steps_of(const Device& device, RecordingMode mode) {
  constexpr std::int64_t kBatch = 12;
  Network network(small_resnet({1, 1, 28, 28}, 16, 3), device);
  Recorder r(device);
  Recording recording(r, network, kBatch, mode);
  recording.forward(r.make("images", network.graph().input_shape().with_batch(kBatch)));
  return r.step_count();
}

}  // namespace

TEST_CASE("strip: the first stage of a ResNet, a tenth of a cache a thread") {
  const std::size_t cache = std::size_t{2} << 20;
  struct Case {
    const char* model;
    std::int64_t batch;
    int threads;
    std::string last;
    std::int64_t images;
  };
  for (const Case& c : {Case{"resnet18:width=64", 32, 2, "layer1.1.relu2", 2},
                        Case{"resnet18:width=16", 64, 2, "layer1.1.relu2", 8},
                        Case{"resnet18:width=16", 63, 2, "layer1.1.relu2", 7},
                        Case{"resnet18:width=16", 32, 1, "layer1.1.relu2", 4},
                        // Too small, or a batch without a divisor that would do.
                        Case{"resnet18:width=16", 8, 2, "", 0}, Case{"resnet18:width=16", 67, 2, "", 0},
                        Case{"resnet18:width=64", 33, 2, "", 0}}) {
    CAPTURE(c.model);
    CAPTURE(c.batch);
    const Graph graph = model(c.model, {1, 1, 28, 28});
    const std::vector<NodeGroup> groups = fuse(graph, NormMode::frozen);
    const Strip strip = strip_of(with_cache({.threads = c.threads}, cache), graph, c.batch, Precision::fp32);
    CHECK(strip.images == c.images);
    CHECK((strip.groups == 0 ? "" : graph.node(groups[strip.groups - 1].output).name) == c.last);
    CHECK(strip_of(with_cache({.threads = c.threads}, 0), graph, c.batch, Precision::fp32).groups == 0);
  }
}

TEST_CASE(
    "strip: slices give the logits and the gradient of the images that the whole batch gives, to the bit") {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    if (!cpu().backend().supports(precision)) continue;
    for (const Cores& cores : {Cores{.threads = 1}, {.threads = 2}, {.threads = 1, .precise = true}}) {
      int sliced = 0;
      for (const GraphCase& c : cases()) {
        CAPTURE(c.name);
        CAPTURE(cores.threads);
        CAPTURE(cores.precise);
        CAPTURE(static_cast<int>(precision));
        const std::size_t cache = most_slicing_cache(cores, c.graph, c.batch, precision);
        if (cache == 0) continue;
        sliced += 1;
        const Device whole = with_cache(cores, 0), slices = with_cache(cores, cache);
        const RecordingMode attack{.norm = NormMode::frozen, .input_gradient = true};
        const NetworkPass expected = pass_on(whole, c, precision, attack),
                          actual = pass_on(slices, c, precision, attack);
        CHECK(same_bits(actual.logits, expected.logits));
        CHECK(same_bits(actual.dimages, expected.dimages));
        const NetworkPass judged = pass_on(slices, c, precision, {.norm = NormMode::frozen});
        CHECK(same_bits(judged.logits, expected.logits));
      }
      MESSAGE(sliced, " networks of ", cases().size(), " ran in slices");
      CHECK(sliced >= 15);
    }
  }
}

TEST_CASE("strip: only frozen statistics without gradients of parameters run in slices") {
  const std::size_t cache = std::size_t{96} << 10;
  const Device whole = with_cache({}, 0), slices = with_cache({}, cache);
  const auto differ = [&](RecordingMode mode) { return steps_of(whole, mode) != steps_of(slices, mode); };
  CHECK(differ({.norm = NormMode::frozen}));
  CHECK(differ({.norm = NormMode::frozen, .input_gradient = true}));
  CHECK_FALSE(differ({.norm = NormMode::batch_no_update, .input_gradient = true}));
  CHECK_FALSE(differ({.norm = NormMode::batch, .parameter_gradients = true}));
  CHECK_FALSE(differ({.norm = NormMode::frozen, .parameter_gradients = true}));
}

TEST_CASE("strip: an attack in slices and the training behind it, which share prepared weights") {
  constexpr std::int64_t kBatch = 12;
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    if (!cpu().backend().supports(precision)) continue;
    CAPTURE(static_cast<int>(precision));
    const Graph graph = small_resnet({1, 1, 28, 28}, 16, 3);
    const std::size_t cache = most_slicing_cache({}, graph, kBatch, precision);
    REQUIRE(cache > 0);
    const ImageSplit split = random_split(2 * kBatch, {1, 1, 28, 28}, 3, 4);
    const attacks::Pgd attack({.eps = 0.05, .alpha = 0.02, .steps = 2, .target = {}});
    const AdversarialTraining objective("pgd", attack, NormMode::frozen, attack.pgd().steps);
    const auto trained = [&](std::size_t bytes) {
      const Device device = with_cache({}, bytes);
      Network network(graph, device, precision);
      network.initialize(3);
      TrainerSpec spec;
      spec.batch = kBatch;
      Trainer trainer(network, objective, split, spec);
      trainer.run_step();
      trainer.run_step();
      return all_weights(network);
    };
    CHECK(same_bits(trained(cache), trained(0)));
  }
}

}  // namespace inocula::test
