// cuDNN's plans for a GPU that is described to it, on a machine without one.
//
// cuDNN plans from a description of the hardware as well as on it. What it cannot do here is run the plan,
// and compile fused kernels, which takes the driver: those are optional and tried on a GPU alone.
#include <doctest/doctest.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "engine/backends/cuda/cudnn.h"
#include "engine/error.h"

namespace inocula::cuda {
namespace {

/// What tells the GPUs apart that are planned for here: bytes, kHz, and shared memory a block may ask for and
/// a multiprocessor has.
struct Gpu {
  const char* name;
  int compute_capability;
  std::int64_t memory, multiprocessors, clock, memory_clock, l2_cache;
  std::int64_t shared_a_block, shared;
};

constexpr Gpu kA100{.name = "NVIDIA A100-SXM4-80GB",
                    .compute_capability = 80,
                    .memory = 85899345920,
                    .multiprocessors = 108,
                    .clock = 1410000,
                    .memory_clock = 1593000,
                    .l2_cache = 41943040,
                    .shared_a_block = 166912,
                    .shared = 167936};
constexpr Gpu kH200{.name = "NVIDIA H200",
                    .compute_capability = 90,
                    .memory = 150754820096,
                    .multiprocessors = 132,
                    .clock = 1980000,
                    .memory_clock = 3201000,
                    .l2_cache = 62914560,
                    .shared_a_block = 232448,
                    .shared = 233472};
constexpr Gpu kB200{.name = "NVIDIA B200",
                    .compute_capability = 100,
                    .memory = 191502483456,
                    .multiprocessors = 148,
                    .clock = 1965000,
                    .memory_clock = 3996000,
                    .l2_cache = 132644864,
                    .shared_a_block = 232448,
                    .shared = 233472};

/// As cuDNN writes a device's properties.
std::string properties(const Gpu& gpu) {
  std::ostringstream json;
  json << "{\"deviceName\": \"" << gpu.name << "\", \"deviceVer\": " << gpu.compute_capability * 10
       << ", \"totalGlobalMem\": " << gpu.memory << ", \"multiProcessorCount\": " << gpu.multiprocessors
       << ", \"smClockRateKHz\": " << gpu.clock << ", \"memClockRateKHz\": " << gpu.memory_clock
       << ", \"l2CacheSize\": " << gpu.l2_cache
       << ", \"maxSharedMemoryPerBlockOptin\": " << gpu.shared_a_block
       << ", \"sharedMemPerMultiprocessor\": " << gpu.shared << R"(,
    "driverVer": 13000, "cudaDeviceId": 0, "pciDeviceId": 0, "warpSize": 32, "regsPerBlock": 65536,
    "maxRegistersPerSM": 65536, "maxSharedMemoryPerBlock": 49152, "reservedSharedMemoryPerBlock": 1024,
    "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
    "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "isTccDriver": 0,
    "supportCoopLaunch": 1})";
  return json.str();
}

/// Null where cuDNN is not installed or too old to plan without hardware, which is said.
std::unique_ptr<Cudnn> described(const Gpu& gpu) {
  try {
    return Cudnn::describe_hardware(properties(gpu), gpu.compute_capability);
  } catch (const Error& e) {
    MESSAGE("skipped: ", e.what());
    return nullptr;
  }
}

ConvProblem convolution(const Shape& in, std::int64_t outputs, std::int64_t kernel, std::int64_t stride,
                        std::int64_t groups = 1) {
  ConvProblem p;
  p.in = in;
  const std::int64_t pad = kernel / 2;
  p.out = {in.n, outputs, (in.h + 2 * pad - kernel) / stride + 1, (in.w + 2 * pad - kernel) / stride + 1};
  p.window = {.kernel_h = kernel,
              .kernel_w = kernel,
              .stride_h = stride,
              .stride_w = stride,
              .pad_h = pad,
              .pad_w = pad};
  p.groups = groups;
  return p;
}

/// Those of ResNet-18 for 28 x 28 (its last layers have odd sides) and for 224 x 224, a depthwise and a
/// grouped one, and a batch of two.
std::vector<ConvProblem> convolutions() {
  std::vector<ConvProblem> list{
      convolution({128, 8, 28, 28}, 64, 3, 1),       convolution({32, 8, 224, 224}, 64, 7, 2),
      convolution({2, 16, 28, 28}, 16, 3, 1),        convolution({128, 32, 28, 28}, 32, 3, 1, 32),
      convolution({64, 128, 56, 56}, 128, 3, 1, 32), convolution({256, 64, 56, 56}, 64, 3, 1)};
  for (const std::int64_t batch : {128, 512})
    for (std::int64_t c = 64, side = 28; c <= 512; c *= 2, side = (side + 1) / 2) {
      list.push_back(convolution({batch, c, side, side}, c, 3, 1));
      if (c == 512) continue;
      list.push_back(convolution({batch, c, side, side}, 2 * c, 3, 2));
      list.push_back(convolution({batch, c, side, side}, 2 * c, 1, 2));
    }
  return list;
}

TEST_CASE(
    "cuda plans: every pass of every convolution has a deterministic engine, in fp32 without TF32 and in "
    "bf16") {
  for (const Gpu& gpu : {kA100, kH200, kB200}) {
    const std::unique_ptr<Cudnn> cudnn = described(gpu);
    if (cudnn == nullptr) return;
    CAPTURE(std::string(gpu.name));
    std::size_t most_workspace = 0;
    int plans = 0;
    for (ConvProblem p : convolutions())
      for (const ConvPass pass : {ConvPass::forward, ConvPass::backward_data, ConvPass::backward_weights})
        for (const Element element : {Element::f32, Element::bf16}) {
          p.pass = pass;
          p.element = element;
          CAPTURE(p.to_string());
          // Gradients of weights in float from bf16 take a kernel compiled at run time: tried on a GPU alone.
          p.weight_gradient = pass == ConvPass::backward_weights ? element : Element::f32;
          const std::unique_ptr<Cudnn::Plan> plan = cudnn->plan(p, {});
          CHECK(plan != nullptr);
          if (plan == nullptr) continue;
          CHECK(plan->name().rfind("eng", 0) == 0);
          most_workspace = std::max(most_workspace, plan->workspace_bytes());
          plans += 1;
        }
    MESSAGE("cuDNN ", cudnn->version(), " on ", std::string(gpu.name), ": ", plans, " plans, at most ",
            most_workspace >> 20, " MiB of scratch");
  }
}

TEST_CASE("cuda plans: TF32 is chosen only where it is admitted, in the reproducible mode too") {
  const std::unique_ptr<Cudnn> cudnn = described(kH200);
  if (cudnn == nullptr) return;
  const ConvProblem p = convolution({128, 64, 28, 28}, 64, 3, 1);
  const auto name = [&](const Admission& admission) {
    const std::unique_ptr<Cudnn::Plan> plan = cudnn->plan(p, admission);
    REQUIRE(plan != nullptr);
    return plan->name();
  };
  const std::string exact = name({Determinism::reproducible, false});
  CHECK(name({Determinism::reproducible, true}) != exact);
  CHECK(name({Determinism::fast, true}) != exact);
}

TEST_CASE("cuda plans: a description that is none is refused in one line") {
  try {
    Cudnn::describe_hardware("{}", kH200.compute_capability);
    FAIL_CHECK("accepted");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::missing_package);
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
  }
}

}  // namespace
}  // namespace inocula::cuda
