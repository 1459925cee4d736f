// Every layer but convolutions, pass by pass, as networks run them: bytes a second beside the copy bandwidth.
//
// Bytes are those of the activations that a pass says it reads and writes. They are counted as often as its
// steps touch them, and these arrays fit into caches, as they do in a network: a share of the copy bandwidth,
// which is measured beyond the caches, may exceed 1.
#include "bench/layers.h"

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/arrays.h"
#include "bench/networks.h"
#include "engine/layers/make_layer.h"
#include "engine/network.h"
#include "engine/parameter_tensors.h"
#include "engine/recorder.h"

namespace inocula::bench {

namespace {

constexpr std::pair<const char*, Pass> kPasses[] = {
    {"forward", Pass::forward},
    {"backward_data", Pass::backward_data},
    {"backward_params", Pass::backward_params},
};

/// One group of one network.
struct LayerBench {
  std::shared_ptr<Network> network;
  NodeGroup group;
  LayerMode mode;

  Shape input_shape(std::size_t input) const {
    return network->graph().node(group.inputs[input]).shape.with_batch(mode.batch);
  }
  const Node& node() const { return network->graph().node(group.norm >= 0 ? group.norm : group.output); }
  bool linear() const { return std::holds_alternative<op::Linear>(node().operation); }
  bool trains() const { return linear() || (group.norm >= 0 && mode.norm == NormMode::batch); }
  std::string kind() const;
};

std::string pool_name(const char* name, const PoolWindow& w) {
  return name + std::to_string(w.kernel_h) + "x" + std::to_string(w.kernel_w);
}

std::string LayerBench::kind() const {
  if (group.norm >= 0 || group.add >= 0 || group.relu >= 0) {
    std::string name = group.norm < 0 ? "" : mode.norm == NormMode::frozen ? "frozen_norm" : "batch_norm";
    for (const auto& [part, there] : {std::pair{"add", group.add >= 0}, std::pair{"relu", group.relu >= 0}})
      if (there) name += (name.empty() ? "" : "+") + std::string(part);
    return name;
  }
  const Operation& o = node().operation;
  if (const auto* pool = std::get_if<op::MaxPool>(&o)) return pool_name("max_pool", pool->window);
  if (const auto* pool = std::get_if<op::AveragePool>(&o)) return pool_name("average_pool", pool->window);
  return std::holds_alternative<op::Normalize>(o)           ? "normalize"
         : std::holds_alternative<op::GlobalAveragePool>(o) ? "global_average_pool"
         : std::holds_alternative<op::Linear>(o)            ? "linear"
                                                            : "concat";
}

/// A Program of one pass, whose operands lie in memory of their own.
class BoundLayer {
 public:
  BoundLayer(const Device& device, const LayerBench& bench, Pass pass) : device_(device) {
    const LayerTrace before = trace_before(bench, pass);
    Recorder r(device);
    ParameterTensors parameters(r, bench.network->parameters());
    const auto layer = make_layer(device, bench.network->graph(), bench.group, bench.mode);
    r.preparation([&] { layer->prepare(r, parameters); });
    LayerTrace trace;
    for (const Tensor& x : before.x) trace.x.push_back(outside(r, x));
    trace.y = outside(r, before.y);
    trace.sign = outside(r, before.sign);
    trace.dy = outside(r, before.dy);
    for (const Tensor& kept : before.kept) trace.kept.push_back(outside(r, kept));
    const std::size_t first = r.step_count();
    record(*layer, r, parameters, trace, pass);
    for (std::size_t step = first; step < r.step_count(); ++step)
      for (const auto& ids : {r.use(step).reads, r.use(step).writes})
        for (const std::int32_t id : ids)
          bytes_ +=
              outside_bytes_.count(id) ? outside_bytes_.at(id) : static_cast<double>(r.tensor(id).bytes);
    program_ = r.finish(Preparation::kept);
    program_.run();
  }

  double bytes() const { return bytes_; }
  void run() { program_.run(Preparation::kept); }

 private:
  static void record(Layer& layer, Recorder& r, ParameterTensors& p, LayerTrace& trace, Pass pass) {
    if (pass == Pass::forward) layer.forward(r, p, trace);
    if (pass == Pass::backward_params) layer.backward_params(r, p, trace);
    if (pass == Pass::backward_data) layer.backward_data(r, p, trace, 0, {});
  }

  /// What the passes before it leave: written down by a recorder whose steps never run.
  LayerTrace trace_before(const LayerBench& bench, Pass pass) const {
    Recorder r(device_);
    ParameterTensors parameters(r, bench.network->parameters());
    const auto layer = make_layer(device_, bench.network->graph(), bench.group, bench.mode);
    layer->prepare(r, parameters);
    LayerTrace trace;
    for (std::size_t i = 0; i < bench.group.inputs.size(); ++i) {
      const Layout layout = layout_of(bench.network->graph(), bench.group.inputs[i]);
      const DType type = layout == Layout::blocked ? dtype_of(bench.mode.element) : DType::f32;
      trace.x.push_back(r.make("input", bench.input_shape(i), type, layout));
    }
    if (pass == Pass::forward) return trace;
    record(*layer, r, parameters, trace, Pass::forward);
    trace.dy = r.make("output gradient", trace.y.shape, trace.y.dtype, trace.y.layout);
    // As in training, where the sums for both gradients are taken by the first of them.
    if (pass == Pass::backward_data && bench.trains())
      record(*layer, r, parameters, trace, Pass::backward_params);
    return trace;
  }

  Tensor outside(Recorder& r, const Tensor& t) {
    if (!t) return {};
    const std::int64_t size = r.planes(t).size();
    buffers_.emplace_back(device_, static_cast<std::size_t>(size) * sizeof(float));
    // Bits and winning cells stay zero: they are no numbers.
    if (t.dtype == DType::f32 || t.dtype == DType::bf16)
      device_.backend().run([&](const Queue& queue) {
        device_.kernels().fill(queue, {buffers_.back().as<void>(), size, kHalf});
      });
    const Tensor made = r.external("operand", buffers_.back().as<void>(), t.shape, t.dtype, t.layout);
    const double element = t.dtype == DType::bits    ? 0.125
                           : t.dtype == DType::bytes ? 1
                           : t.dtype == DType::bf16  ? 2
                                                     : 4;
    outside_bytes_[made.id] = element * static_cast<double>(size);
    return made;
  }

  const Device& device_;
  std::vector<Buffer> buffers_;
  std::map<std::int32_t, double> outside_bytes_;
  double bytes_ = 0;
  Program program_;
};

void run(benchmark::State& state, Suite& suite, const LayerBench& bench, Pass pass) {
  BoundLayer layer(suite.device, bench, pass);
  suite.roofs.count_bytes(state, layer.bytes());
  if (bench.linear()) {
    const double products = static_cast<double>(bench.input_shape(0).size() * bench.node().shape.c);
    suite.roofs.count_operations(state, 2 * products);
  }
  for (auto _ : state) {
    layer.run();
    suite.device.backend().synchronize();
  }
}

/// The layers that no network of models/ has by itself, on activations as large as ResNet-18's first ones.
Graph other_layers() {
  Graph g({1, 1, 28, 28});
  Value x = g.add("normalize", op::Normalize{{0.5f}, {0.5f}}, {0});
  const ConvWindow window{.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1};
  const Value conv =
      g.add("conv", op::Conv{.out_channels = 64, .window = window, .groups = 1, .bias = false}, {x});
  const Value relu = g.add("relu", op::Relu{}, {conv});
  const Value sum = g.add("add", op::Add{}, {conv, relu});
  x = g.add("concat", op::Concat{}, {relu, sum});
  x = g.add("pool", op::AveragePool{{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}}, {x});
  x = g.add("norm", op::BatchNorm{}, {x});
  x = g.add("global", op::GlobalAveragePool{}, {x});
  g.add("linear", op::Linear{2, true}, {x});
  return g;
}

void add_network(Suite& suite, const Graph& graph, std::int64_t batch, std::set<std::string>& known) {
  const auto network = std::make_shared<Network>(graph, suite.device);
  for (const NormMode norm : {NormMode::frozen, NormMode::batch})
    for (const NodeGroup& group : fuse(graph, norm)) {
      if (group.conv >= 0) continue;
      const LayerBench bench{network,
                             group,
                             {.batch = batch,
                              .norm = norm,
                              .element = Element::f32,
                              .input_gradient = true,
                              .output_gradient = true}};
      const Shape in = bench.input_shape(0);
      const std::string shape = std::to_string(in.n) + "x" + std::to_string(in.c) + "x" +
                                std::to_string(in.h) + "x" + std::to_string(in.w);
      for (const auto& [pass_name, pass] : kPasses) {
        if (pass == Pass::backward_params && !bench.trains()) continue;
        const std::string name = "layer/" + bench.kind() + "/" + shape + "/" + pass_name;
        if (!known.insert(name).second) continue;
        benchmark::RegisterBenchmark(
            name.c_str(),
            [&suite, bench, pass = pass](benchmark::State& state) { run(state, suite, bench, pass); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
}

}  // namespace

void add_layers(Suite& suite) {
  std::set<std::string> known;
  for (const BenchNetwork& network : kNetworks) add_network(suite, network.graph(), network.batch, known);
  add_network(suite, other_layers(), 32, known);
}

}  // namespace inocula::bench

int main(int argc, char** argv) {
  return inocula::bench::run_suite(argc, argv, [](inocula::bench::Suite& suite) {
    inocula::bench::add_convolutions(suite);
    inocula::bench::add_layers(suite);
  });
}
