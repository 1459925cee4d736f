// Convolutions by shape and pass: ours beside oneDNN's direct ones, in nominal operations a second.
//
// Operations are counted as direct convolution counts them, 2 N O H W I 9, whichever way they are done;
// `roof` is the share of what the same threads multiply and add from registers alone, measured in the same
// run: a transform may take it beyond 1. Weights are prepared once, outside of what is timed, except under
// `prepare`.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/device.h"
#include "tools/roof.h"

namespace {

using namespace inocula;

struct Layer {
  std::int64_t batch, inputs, outputs, side, kernel, stride;

  ConvGeometry geometry() const {
    const std::int64_t pad = kernel / 2, out = (side + 2 * pad - kernel) / stride + 1;
    ConvGeometry g;
    g.in = {batch, inputs, side, side};
    g.out = {batch, outputs, out, out};
    g.window = {.kernel_h = kernel,
                .kernel_w = kernel,
                .stride_h = stride,
                .stride_w = stride,
                .pad_h = pad,
                .pad_w = pad};
    return g;
  }
  std::string name() const {
    return std::to_string(inputs) + "to" + std::to_string(outputs) + "/" + std::to_string(side) + "px/" +
           std::to_string(kernel) + "x" + std::to_string(kernel) + "s" + std::to_string(stride) + "/batch" +
           std::to_string(batch);
  }
};

/// ResNet-18 of width 64 and of width 16 at 28 x 28, and its first stages at 64 x 64.
constexpr Layer kLayers[] = {
    {32, 64, 64, 28, 3, 1},  {32, 128, 128, 14, 3, 1}, {32, 256, 256, 7, 3, 1},  {32, 512, 512, 4, 3, 1},
    {64, 16, 16, 28, 3, 1},  {64, 32, 32, 14, 3, 1},   {64, 64, 64, 7, 3, 1},    {64, 128, 128, 4, 3, 1},
    {32, 16, 16, 64, 3, 1},  {32, 32, 32, 32, 3, 1},   {32, 64, 128, 28, 3, 2},  {32, 128, 256, 14, 3, 2},
    {32, 256, 512, 7, 3, 2}, {32, 64, 128, 28, 1, 2},  {32, 128, 256, 14, 1, 2}, {32, 256, 512, 7, 1, 2},
};

enum class Pass { forward, backward_data, backward_weights, prepare };

Device& device(bool precise) {
  static Device fast = Device::open("cpu"), direct = Device::open("cpu", {.precise = true});
  return precise ? direct : fast;
}

double roof() {
  static const double flops = measure_roof(device(false)).fp32_gflops * 1e9;
  return flops;
}

/// A buffer of ones: no number is denormal.
Buffer ones(const Device& d, std::size_t bytes) {
  Buffer b(d, bytes);
  d.backend().run([&](const Queue& queue) {
    d.kernels().fill(queue, {b.as<void>(), static_cast<std::int64_t>(bytes / sizeof(float)), 1.0f});
  });
  return b;
}

void run(benchmark::State& state, const Layer& layer, Pass pass, bool precise) {
  const Device& d = device(precise);
  const ConvGeometry g = layer.geometry();
  std::shared_ptr<PreparedConv> conv;
  switch (pass) {
    case Pass::forward:
    case Pass::prepare:
      conv = d.backend().conv_forward(g, {.bias = true, .residual = true, .relu = true, .sign_bits = true});
      break;
    case Pass::backward_data:
      conv = d.backend().conv_backward_data(g, {.add = true, .mask = true});
      break;
    case Pass::backward_weights:
      conv = d.backend().conv_backward_weights(g);
      break;
  }
  const auto bytes = [&](const Shape& s) {
    return static_cast<std::size_t>(s.n * d.backend().padded_channels(s.c) * s.h * s.w) * sizeof(float);
  };
  const std::size_t filters = static_cast<std::size_t>(g.out.c * g.in.c * layer.kernel * layer.kernel);
  const Buffer x = ones(d, bytes(g.in)), y = ones(d, bytes(g.out)), residual = ones(d, bytes(g.out)),
               dx = ones(d, bytes(g.in)), plain = ones(d, filters * sizeof(float)),
               bias = ones(d, static_cast<std::size_t>(d.backend().padded_channels(g.out.c)) * sizeof(float)),
               dw = ones(d, filters * sizeof(float)), weights(d, conv->weight_bytes() + 1),
               weight_scratch(d, conv->weight_scratch_bytes() + 1), scratch(d, conv->scratch_bytes() + 1),
               bits(d, bytes(g.in) + bytes(g.out));
  Launch launch;
  if (pass != Pass::backward_weights) {
    launch = conv->bind_weights(plain.as<float>(), nullptr, weights.as<void>(), weight_scratch.as<void>());
    d.backend().run(launch);
  }
  if (pass != Pass::prepare) {
    ConvOperands o;
    o.x = x.as<void>();
    o.weights = weights.as<void>();
    o.scratch = scratch.as<void>();
    o.dw = dw.as<float>();
    if (pass == Pass::forward) {
      o.bias = bias.as<float>();
      o.residual = residual.as<void>();
      o.y = y.as<void>();
      o.sign_bits = bits.as<std::uint8_t>();
    } else {
      o.dy = y.as<void>();
    }
    if (pass == Pass::backward_data) {
      o.dx = dx.as<void>();
      o.add = x.as<void>();
      o.mask = bits.as<std::uint8_t>();
    }
    launch = conv->bind(o);
  }
  for (auto _ : state) d.backend().run(launch);
  if (pass == Pass::prepare) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(conv->weight_bytes()));
  } else {
    const double flops = 2 * g.multiply_adds();
    state.counters["GFLOP/s"] =
        benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["roof"] =
        benchmark::Counter(flops / roof(), benchmark::Counter::kIsIterationInvariantRate);
  }
  state.SetLabel(conv->algorithm());
}

void register_all() {
  const std::pair<const char*, Pass> passes[] = {{"forward", Pass::forward},
                                                 {"backward_data", Pass::backward_data},
                                                 {"backward_weights", Pass::backward_weights},
                                                 {"prepare", Pass::prepare}};
  for (const Layer& layer : kLayers)
    for (const auto& [name, pass] : passes)
      for (const bool precise : {false, true})
        benchmark::RegisterBenchmark(
            (layer.name() + "/" + name + (precise ? "/direct" : "/fast")).c_str(),
            [=, pass = pass](benchmark::State& state) { run(state, layer, pass, precise); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
