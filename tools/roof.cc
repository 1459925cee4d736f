// Best of several short runs.
#include "tools/roof.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "kernels/draw.h"

namespace inocula {

namespace {

template <class Work>
double best_seconds(const Device& device, const Work& work) {
  constexpr int kRuns = 5;
  const std::unique_ptr<Stopwatch> watch = device.backend().make_stopwatch();
  for (int i = 0; i < kRuns; ++i) {
    device.backend().run([&](const Queue& queue) {
      watch->begin();
      work(queue);
      watch->end();
    });
  }
  const std::vector<double> laps = watch->laps();
  return *std::min_element(laps.begin(), laps.end());
}

double matrix_gflops(const Device& device) {
  constexpr std::int64_t kChannels = 2048;
  // A GPU needs more rows than a CPU to fill its processors, and has the time for them.
  const std::int64_t rows = device.name() == "cpu" ? 1024 : 32768;
  const Shape shape{rows / 64, kChannels, 8, 8};
  const auto conv =
      device.backend().conv_forward({.in = shape, .out = shape, .window = {}, .element = Element::bf16}, {});
  const auto elements = static_cast<std::size_t>(shape.size());
  Buffer plain(device, kChannels * kChannels * sizeof(float)), weights(device, conv->weight_bytes()),
      weight_scratch(device, std::max<std::size_t>(conv->weight_scratch_bytes(), 1)),
      scratch(device, std::max<std::size_t>(conv->scratch_bytes(), 1)),
      x(device, elements * element_bytes(Element::bf16)), y(device, elements * element_bytes(Element::bf16));
  // Products of zeros draw less power and run faster than any real ones.
  std::vector<float> numbers(kChannels * kChannels);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = uniform_signed(draw(0, Draw::synthesis, 0, 0, 0, static_cast<std::uint32_t>(i)));
  plain.upload(numbers.data(), numbers.size());
  std::vector<Bf16> pixels(elements);
  for (std::size_t i = 0; i < elements; ++i) store(&pixels[i], numbers[i % numbers.size()]);
  x.upload(pixels.data(), pixels.size());
  const Launch prepare =
      conv->bind_weights(plain.as<float>(), nullptr, weights.as<void>(), weight_scratch.as<void>());
  ConvOperands operands;
  operands.x = x.as<void>();
  operands.weights = weights.as<void>();
  operands.y = y.as<void>();
  operands.scratch = scratch.as<void>();
  const Launch product = conv->bind(operands);
  device.backend().run(prepare);
  const double seconds = best_seconds(device, [&](const Queue& queue) { product(queue); });
  return 2e-9 * static_cast<double>(rows) * kChannels * kChannels / seconds;
}

}  // namespace

double measure_fp32_gflops(const Device& device, double effort) {
  FmaChains shape = device.name() == "cpu"
                        ? FmaChains{.sink = nullptr, .tasks = device.threads(), .length = 2'000'000}
                        : FmaChains{.sink = nullptr, .tasks = std::int64_t{1} << 17, .length = 1'000};
  shape.length = std::max<std::int64_t>(1, std::llround(effort * static_cast<double>(shape.length)));
  const Buffer sink(device, static_cast<std::size_t>(shape.tasks) * sizeof(float));
  const double seconds = best_seconds(device, [&](const Queue& queue) {
    FmaChains a = shape;
    a.sink = sink.as<float>();
    device.kernels().fma_chains(queue, a);
  });
  return 2e-9 * kFmaLanes * kFmaChains * static_cast<double>(shape.length * shape.tasks) / seconds;
}

double measure_copy_gbps(const Device& device, const Buffer& from, const Buffer& to) {
  const auto floats = static_cast<std::int64_t>(from.bytes() / sizeof(float));
  const double ours = best_seconds(
                   device,
                   [&](const Queue&queue) {
                     device.kernels().copy_floats(queue, {from.as<float>(), to.as<float>(), floats});
                   }),
               vendors = best_seconds(device, [&](const Queue&) {
                 device.backend().copy(to.as<void>(), from.as<void>(), from.bytes());
               });
  return 2e-9 * static_cast<double>(from.bytes()) / std::min(ours, vendors);
}

Roof measure_roof(const Device& device) {
  constexpr std::size_t kCopied = std::size_t{512} << 20;
  Roof roof;
  roof.fp32_gflops = measure_fp32_gflops(device);
  if (device.backend().supports(Precision::bf16)) roof.bf16_gflops = matrix_gflops(device);
  roof.copy_gbps = measure_copy_gbps(device, Buffer(device, kCopied), Buffer(device, kCopied));
  return roof;
}

}  // namespace inocula
