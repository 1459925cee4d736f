// Convolutions by shape and pass: ours beside oneDNN's direct ones, in nominal and in real operations a
// second.
//
// Nominal operations are those of direct convolution, 2 N O H W I 9, whichever way they are done; real ones
// are the multiplications and additions of Winograd's products, without its transforms. Weights are prepared
// once, outside of what is timed, except under `prepare_…`.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "bench/layers.h"
#include "bench/networks.h"

namespace inocula::bench {

namespace {

enum class ConvPass { forward, backward_data, backward_weights, prepare_forward, prepare_backward_data };

constexpr std::pair<const char*, ConvPass> kPasses[] = {
    {"forward", ConvPass::forward},
    {"backward_data", ConvPass::backward_data},
    {"backward_weights", ConvPass::backward_weights},
    {"prepare_forward", ConvPass::prepare_forward},
    {"prepare_backward_data", ConvPass::prepare_backward_data},
};

bool prepares(ConvPass pass) {
  return pass == ConvPass::prepare_forward || pass == ConvPass::prepare_backward_data;
}

std::string name_of(const ConvGeometry& g) {
  const auto text = [](std::int64_t n) { return std::to_string(n); };
  return text(g.in.c) + "to" + text(g.out.c) + "," + text(g.in.h) + "px," + text(g.window.kernel_h) + "x" +
         text(g.window.kernel_w) + ",stride" + text(g.window.stride_h) + ",batch" + text(g.in.n);
}

/// Of the products that direct convolution takes, how many `algorithm` does: "own winograd F(7x7,3x3):…"
/// computes tiles of 7x7 outputs, the last ones in part beside the image, by 9x9 products.
double share_of_products(const std::string& algorithm, const Shape& out) {
  const std::size_t at = algorithm.find("winograd F(");
  if (at == std::string::npos) return 1;
  const std::int64_t m = std::stoll(algorithm.substr(at + 11));
  const std::int64_t tiles = (out.h + m - 1) / m * ((out.w + m - 1) / m);
  return static_cast<double>(tiles * (m + 2) * (m + 2)) / static_cast<double>(out.pixels() * 9);
}

/// One pass with operands of its own.
class BoundPass {
 public:
  BoundPass(const Device& device, const ConvGeometry& g, ConvPass pass) : device_(device), geometry_(g) {
    const bool to_images = g.in_layout == Layout::plain;
    switch (pass) {
      case ConvPass::forward:
      case ConvPass::prepare_forward:
        conv_ = device.backend().conv_forward(
            g, {.bias = true, .residual = true, .relu = true, .sign_bits = true});
        break;
      case ConvPass::backward_data:
      case ConvPass::prepare_backward_data:  // nothing joins or masks the gradient of images
        conv_ = device.backend().conv_backward_data(g, {.add = !to_images, .mask = !to_images});
        break;
      case ConvPass::backward_weights:
        conv_ = device.backend().conv_backward_weights(g);
        break;
    }
    weights_ = Buffer(device, conv_->weight_bytes() + 1);
    weight_scratch_ = Buffer(device, conv_->weight_scratch_bytes() + 1);
    scratch_ = Buffer(device, conv_->scratch_bytes() + 1);
    bits_ = Buffer(device, activation_bytes(g.in) + activation_bytes(g.out));
    if (pass != ConvPass::backward_weights) {
      launch_ =
          conv_->bind_weights(plain_.as<float>(), nullptr, weights_.as<void>(), weight_scratch_.as<void>());
      run();
    }
    if (!prepares(pass)) launch_ = conv_->bind(operands(pass));
  }

  const PreparedConv& conv() const { return *conv_; }
  void run() const { device_.backend().run(launch_); }

 private:
  /// Enough for each element and layout.
  std::size_t activation_bytes(const Shape& s) const {
    return static_cast<std::size_t>(s.n * device_.backend().padded_channels(s.c) * s.h * s.w) * sizeof(float);
  }
  /// No number is denormal, as floats or as pairs of bf16.
  Buffer ones(std::size_t bytes) const {
    Buffer b(device_, bytes);
    device_.backend().run([&](const Queue& queue) {
      device_.kernels().fill(queue, {b.as<void>(), static_cast<std::int64_t>(bytes / sizeof(float)), 1.0f});
    });
    return b;
  }
  std::size_t filter_bytes() const {
    const ConvWindow& w = geometry_.window;
    return static_cast<std::size_t>(geometry_.out.c * geometry_.in.c * w.kernel_h * w.kernel_w) *
           sizeof(float);
  }

  ConvOperands operands(ConvPass pass) const {
    ConvOperands o;
    o.x = x_.as<void>();
    o.weights = weights_.as<void>();
    o.scratch = scratch_.as<void>();
    o.dw = dw_.as<float>();
    if (pass == ConvPass::forward) {
      o.bias = bias_.as<float>();
      o.residual = residual_.as<void>();
      o.y = y_.as<void>();
      o.sign_bits = bits_.as<std::uint8_t>();
      return o;
    }
    o.dy = y_.as<void>();
    if (pass == ConvPass::backward_data) {
      o.dx = dx_.as<void>();
      o.add = x_.as<void>();
      o.mask = bits_.as<std::uint8_t>();
    }
    return o;
  }

  const Device& device_;
  ConvGeometry geometry_;
  std::shared_ptr<PreparedConv> conv_;
  Buffer x_ = ones(activation_bytes(geometry_.in)), y_ = ones(activation_bytes(geometry_.out)),
         residual_ = ones(activation_bytes(geometry_.out)), dx_ = ones(activation_bytes(geometry_.in)),
         plain_ = ones(filter_bytes()), dw_ = ones(filter_bytes()),
         bias_ = ones(static_cast<std::size_t>(device_.backend().padded_channels(geometry_.out.c)) *
                      sizeof(float));
  Buffer weights_, weight_scratch_, scratch_, bits_;
  Launch launch_;
};

void run(benchmark::State& state, Roofs& roofs, const Device& device, const ConvGeometry& g, ConvPass pass) {
  const BoundPass bound(device, g, pass);
  const std::string algorithm = bound.conv().algorithm();
  if (prepares(pass)) {
    roofs.count_bytes(state, static_cast<double>(bound.conv().weight_bytes()));
  } else {
    const double nominal = 2 * g.multiply_adds();
    roofs.count_operations(state, nominal);
    const Shape& computed = pass == ConvPass::backward_data ? g.in : g.out;
    state.counters["real_GFLOP/s"] =
        benchmark::Counter(1e-9 * nominal * share_of_products(algorithm, computed),
                           benchmark::Counter::kIsIterationInvariantRate);
  }
  for (auto _ : state) {
    bound.run();
    device.backend().synchronize();
  }
  state.SetLabel(algorithm);
}

}  // namespace

void add_convolutions(Suite& suite) {
  // Direct convolutions are a choice of the CPU's alone.
  const bool cpu = suite.device.name() == "cpu";
  const auto direct = cpu ? std::make_shared<Device>(
                                Device::open("cpu", {.threads = suite.device.threads(), .precise = true}))
                          : nullptr;
  std::set<std::string> known;
  const auto add = [&](const char* way, const std::shared_ptr<Device>& other, const ConvGeometry& g) {
    for (const auto& [pass_name, pass] : kPasses) {
      const std::string name = "conv/" + name_of(g) + "/" + pass_name + "/" + way;
      if (!known.insert(name).second) continue;
      benchmark::RegisterBenchmark(name.c_str(),
                                   [&suite, other, g, pass = pass](benchmark::State& state) {
                                     run(state, suite.roofs, other ? *other : suite.device, g, pass);
                                   })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  };
  for (const BenchNetwork& network : kNetworks) {
    const Graph graph = network.graph();
    for (const Node& node : graph.nodes()) {
      if (!std::holds_alternative<op::Conv>(node.operation)) continue;
      const ConvGeometry g = conv_geometry(graph, node, network.batch);
      add("fast", nullptr, g);
      if (direct) add("direct", direct, g);
      if (suite.device.backend().supports(Precision::bf16))
        add("bf16", nullptr, conv_geometry(graph, node, network.batch, Element::bf16));
    }
  }
}

}  // namespace inocula::bench
