// Memory-bound kernels in bytes a second, beside the copy bandwidth of the same run.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "engine/device.h"

namespace {

using namespace inocula;

constexpr std::int64_t kRows = 1024, kCols = 3 * 128 * 128;  // 192 MiB an array: beyond the caches

std::string device_name = "cpu";

Device& device() {
  static Device opened = Device::open(device_name);
  return opened;
}

/// Runs `launch(kernels, queue)` and reports bytes moved a second.
template <class Launch>
void measure(benchmark::State& state, double bytes, const Launch& launch) {
  for (auto _ : state) {
    device().backend().run([&](const Queue& queue) { launch(device().kernels(), queue); });
    device().backend().synchronize();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * static_cast<double>(state.iterations())));
}

struct Arrays {
  Buffer x{device(), kRows* kCols * sizeof(float)};
  Buffer gradient{device(), kRows* kCols * sizeof(float)};
  Buffer clean{device(), kRows* kCols * sizeof(float)};

  Arrays() {
    device().backend().run([&](const Queue& queue) {
      const KernelTable& k = device().kernels();
      k.fill(queue, {clean.as<float>(), kRows * kCols, 0.5f});
      k.fill(queue, {x.as<float>(), kRows * kCols, 0.51f});
      k.fill(queue, {gradient.as<float>(), kRows * kCols, 1e-3f});
    });
  }
  PgdStep step() const {
    PgdStep a;
    a.x = x.as<float>();
    a.gradient = gradient.as<float>();
    a.clean = clean.as<float>();
    a.rows = kRows;
    a.cols = kCols;
    a.alpha = 1.0f / 255;
    a.eps = 8.0f / 255;
    return a;
  }
};

const Arrays& arrays() {
  static const Arrays a;
  return a;
}

constexpr double kArrayBytes = static_cast<double>(kRows * kCols) * sizeof(float);

void copy(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 2 * kArrayBytes, [&](const KernelTable& k, const Queue& queue) {
    k.copy_floats(queue, {a.clean.as<float>(), a.x.as<float>(), kRows * kCols});
  });
}

void pgd_step_linf(benchmark::State& state) {
  const PgdStep a = arrays().step();
  measure(state, 4 * kArrayBytes,
          [&](const KernelTable& k, const Queue& queue) { k.pgd_step_linf(queue, a); });
}

void pgd_step_l2(benchmark::State& state) {
  const PgdStep a = arrays().step();
  measure(state, 4 * kArrayBytes, [&](const KernelTable& k, const Queue& queue) { k.pgd_step_l2(queue, a); });
}

void affine_relu(benchmark::State& state) {
  const Arrays& a = arrays();
  Affine args;
  args.x = a.clean.as<float>();
  args.residual = a.gradient.as<float>();
  args.y = a.x.as<float>();
  args.shape = {kRows, 48, 32, 32, device().backend().block(48, Element::f32)};
  args.activation = Activation::relu;
  measure(state, 3 * kArrayBytes, [&](const KernelTable& k, const Queue& queue) { k.affine(queue, args); });
}

BENCHMARK(copy)->UseRealTime();
BENCHMARK(pgd_step_linf)->UseRealTime();
BENCHMARK(pgd_step_l2)->UseRealTime();
BENCHMARK(affine_relu)->UseRealTime();

}  // namespace

/// --device=cuda:0 beside Google Benchmark's own flags.
int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::string flag = "--device=";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind(flag, 0) != 0) {
      std::fprintf(stderr, "bench_kernels: unknown argument '%s'\n", argv[i]);
      return 64;
    }
    device_name = argument.substr(flag.size());
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
