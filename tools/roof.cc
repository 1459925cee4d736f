// Best of several short runs.
#include "tools/roof.h"

#include <algorithm>
#include <chrono>

namespace inocula {

namespace {

template <class Work>
double best_seconds(const Device& device, const Work& work) {
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    device.backend().run(work);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

}  // namespace

Roof measure_roof(const Device& device) {
  const KernelTable& k = device.kernels();
  Roof roof;

  const FmaChains shape{.sink = nullptr, .tasks = device.threads(), .length = 2'000'000};
  const Buffer sink(device, static_cast<std::size_t>(shape.tasks) * sizeof(float));
  const double fma = best_seconds(device, [&](const Queue& queue) {
    FmaChains a = shape;
    a.sink = sink.as<float>();
    k.fma_chains(queue, a);
  });
  roof.fp32_gflops = 2e-9 * kFmaLanes * kFmaChains * static_cast<double>(shape.length * shape.tasks) / fma;

  constexpr std::int64_t kFloats = std::int64_t{1} << 27;  // two arrays of 512 MiB
  const Buffer from(device, kFloats * sizeof(float)), to(device, kFloats * sizeof(float));
  const double copy = best_seconds(device, [&](const Queue& queue) {
    k.copy_floats(queue, {from.as<float>(), to.as<float>(), kFloats});
  });
  roof.copy_gbps = 2e-9 * sizeof(float) * static_cast<double>(kFloats) / copy;
  return roof;
}

}  // namespace inocula
