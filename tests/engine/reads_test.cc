// What a layer says that its passes read is what its recorded steps do read.
#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include "engine/layers/concat.h"
#include "engine/layers/conv.h"
#include "engine/layers/linear.h"
#include "engine/layers/norm.h"
#include "engine/layers/pointwise.h"
#include "engine/layers/pool.h"
#include "tests/engine/channels_last.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using Ids = std::set<std::int32_t>;

Ids ids_of(const std::vector<Tensor>& tensors) {
  Ids ids;
  for (const Tensor& t : tensors)
    if (t) ids.insert(t.id);
  return ids;
}

bool meets(const Ids& a, const Ids& b) {
  return std::any_of(a.begin(), a.end(), [&](std::int32_t id) { return b.count(id) > 0; });
}

/// What steps [begin, end) read from outside themselves.
Ids outside_reads(const Recorder& r, std::size_t begin, std::size_t end) {
  Ids reads, made;
  for (std::size_t s = begin; s < end; ++s) {
    for (const std::int32_t t : r.use(s).reads)
      if (made.count(t) == 0) reads.insert(t);
    made.insert(r.use(s).writes.begin(), r.use(s).writes.end());
  }
  return reads;
}

struct LayerCase {
  std::string name;
  std::unique_ptr<Layer> layer;
  std::vector<Shape> inputs;
  Layout layout = Layout::blocked;
  bool trains = false;
};

constexpr std::int64_t kBatch = 2, kChannels = 5;
const Shape kImage{kBatch, kChannels, 6, 6};
const ConvWindow kThree{.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1};
const PoolWindow kPool{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};

/// A graph with parameters for the names "conv", "norm" and "fc".
Graph graph_with_parameters() {
  Graph g({1, kChannels, 6, 6});
  Value x = g.add("conv", op::Conv{kChannels, kThree, 1, true}, {0});
  x = g.add("norm", op::BatchNorm{}, {x});
  g.add("fc", op::Linear{3, true}, {x});
  return g;
}

std::vector<LayerCase> layer_cases() {
  std::vector<LayerCase> cases;
  const Shape pooled{kBatch, kChannels, 3, 3};
  const auto conv = [&](bool folded, bool residual, bool relu) {
    ConvLayerSpec spec{.name = "conv",
                       .geometry = {kImage, kImage, kThree, 1, Layout::blocked},
                       .bias = true,
                       .norm = {},
                       .residual = residual,
                       .relu = relu,
                       .keep_sign = relu,
                       .input_gradient = true};
    if (folded) spec.norm = FoldedNorm{"norm", 1e-5f};
    return std::make_unique<ConvLayer>(cpu(), spec);
  };
  const auto norm = [&](NormMode mode, bool residual, bool relu) {
    return std::make_unique<NormLayer>(
        NormLayerSpec{.name = "norm", .mode = mode, .residual = residual, .relu = relu, .keep_sign = relu});
  };
  cases.push_back({"conv", conv(false, false, false), {kImage}, Layout::blocked, true});
  cases.push_back({"conv, residual, relu", conv(false, true, true), {kImage, kImage}, Layout::blocked, true});
  cases.push_back({"conv, folded norm, relu", conv(true, false, true), {kImage}});
  cases.push_back({"conv, folded norm, residual, relu", conv(true, true, true), {kImage, kImage}});
  for (const NormMode mode : {NormMode::frozen, NormMode::batch, NormMode::batch_no_update})
    for (const bool more : {false, true})
      cases.push_back({"norm " + std::to_string(static_cast<int>(mode)) + (more ? ", residual, relu" : ""),
                       norm(mode, more, more),
                       more ? std::vector<Shape>{kImage, kImage} : std::vector<Shape>{kImage},
                       Layout::blocked, mode != NormMode::frozen});
  cases.push_back({"relu", std::make_unique<PointwiseLayer>("relu", false, true, true), {kImage}});
  cases.push_back({"add", std::make_unique<PointwiseLayer>("add", true, false, false), {kImage, kImage}});
  cases.push_back({"add, relu", std::make_unique<PointwiseLayer>("add", true, true, true), {kImage, kImage}});
  cases.push_back({"normalize",
                   std::make_unique<NormalizeLayer>(cpu(), std::vector<float>(kChannels, 0.5f),
                                                    std::vector<float>(kChannels, 0.2f)),
                   {kImage},
                   Layout::plain});
  cases.push_back({"max pool", std::make_unique<MaxPoolLayer>("pool", kPool, pooled, true), {kImage}});
  cases.push_back({"average pool", std::make_unique<AveragePoolLayer>("pool", kPool, pooled), {kImage}});
  cases.push_back({"global average pool", std::make_unique<GlobalAveragePoolLayer>("pool"), {kImage}});
  cases.push_back({"linear", std::make_unique<LinearLayer>("fc", 3, true), {kImage}, Layout::blocked, true});
  cases.push_back({"concat",
                   std::make_unique<ConcatLayer>("beside", Shape{kBatch, 2 * kChannels, 6, 6}),
                   {kImage, kImage}});
  return cases;
}

}  // namespace

TEST_CASE("reads: every layer, every pass, with and without something to join") {
  for (LayerCase& c : layer_cases())
    for (const bool joined : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(joined);
      Network network(graph_with_parameters(), cpu());
      Recorder r(cpu());
      ParameterTensors parameters(r, network.parameters());
      float somewhere = 0;  // an address that is never followed
      const auto given = [&](const char* name, const Shape& shape, DType dtype, Layout layout) {
        return r.external(name, &somewhere, shape, dtype, layout);
      };
      LayerTrace trace;
      for (const Shape& shape : c.inputs) trace.x.push_back(given("x", shape, DType::f32, c.layout));

      c.layer->prepare(r, parameters);
      const std::size_t prepared = r.step_count();
      Ids from_parameters;
      for (std::size_t s = 0; s < prepared; ++s)
        from_parameters.insert(r.use(s).writes.begin(), r.use(s).writes.end());

      c.layer->forward(r, parameters, trace);
      const std::size_t forward_end = r.step_count();
      trace.dy = given("dy", trace.y.shape, DType::f32, trace.y.layout);
      if (c.trains) c.layer->backward_params(r, parameters, trace);
      const std::size_t params_end = r.step_count();
      Ids sinks = ids_of({trace.dy});
      std::vector<std::size_t> ends{params_end};
      // What the parameters' pass worked out (sums over the batch) is there for the pass that follows.
      Ids between;
      for (std::size_t s = forward_end; s < params_end; ++s)
        between.insert(r.use(s).writes.begin(), r.use(s).writes.end());
      for (std::size_t input = 0; input < trace.x.size(); ++input) {
        GradientSink sink;
        if (joined) {
          sink.add = given("add", trace.x[input].shape, DType::f32, trace.x[input].layout);
          sink.mask = given("mask", trace.x[input].shape, DType::bits, trace.x[input].layout);
        }
        const Tensor dx = c.layer->backward_data(r, parameters, trace, input, sink);
        CHECK(dx.shape == trace.x[input].shape);
        CHECK(dx.layout == trace.x[input].layout);
        for (const Tensor& t : {sink.add, sink.mask})
          if (t) sinks.insert(t.id);
        ends.push_back(r.step_count());
      }

      const auto is_parameter = [&](std::int32_t t) {
        const std::string& name = r.tensor(t).name;
        return from_parameters.count(t) > 0 || name.rfind("conv.", 0) == 0 || name.rfind("norm.", 0) == 0 ||
               name.rfind("fc.", 0) == 0 || name.rfind("normalize ", 0) == 0;
      };
      const auto is_gradient = [&](std::int32_t t) { return r.tensor(t).name.rfind("gradient of ", 0) == 0; };
      Ids kept = ids_of(trace.kept);
      for (const std::int32_t id : ids_of(trace.x)) kept.erase(id);
      const auto check = [&](Pass pass, std::size_t begin, std::size_t end) {
        CAPTURE(static_cast<int>(pass));
        const Reads said = c.layer->reads(pass);
        const Ids reads = outside_reads(r, begin, end);
        const Ids x = ids_of(trace.x);
        for (const std::int32_t t : reads) {
          const std::string& what = r.tensor(t).name;
          CAPTURE(what);
          const bool admitted = sinks.count(t) > 0 || is_gradient(t) || (said.input && x.count(t) > 0) ||
                                (said.parameters && is_parameter(t)) || (said.kept && kept.count(t) > 0) ||
                                (pass == Pass::backward_data && between.count(t) > 0);
          CHECK(admitted);
        }
        // And it does not ask to keep what it never reads.
        if (said.input) CHECK(meets(reads, x));
        if (said.kept && !kept.empty()) CHECK(meets(reads, kept));
        if (said.parameters) CHECK(std::any_of(reads.begin(), reads.end(), is_parameter));
      };
      check(Pass::forward, prepared, forward_end);
      if (c.trains) check(Pass::backward_params, forward_end, params_end);
      // Input 0 is the one that goes through the layer's mathematics; the residual's gradient is dy itself.
      check(Pass::backward_data, ends[0], ends[1]);
      for (std::size_t input = 1; input < trace.x.size(); ++input)
        if (c.name != "concat") CHECK(outside_reads(r, ends[input], ends[input + 1]).size() <= sinks.size());
    }
}

TEST_CASE("reads: weights that both passes of a convolution read alike are prepared once") {
  const Device& device = channels_last(Fusion::all);
  Network network(graph_with_parameters(), device);
  const auto preparations = [&](Layout images) {
    const ConvLayerSpec spec{.name = "conv",
                             .geometry = {Shape{kBatch, 3, 6, 6}, kImage, kThree, 1, images},
                             .norm = FoldedNorm{"norm", 1e-5f},
                             .input_gradient = true};
    ConvLayer layer(device, spec);
    Recorder r(device);
    ParameterTensors parameters(r, network.parameters());
    layer.prepare(r, parameters);
    return r.step_count();
  };
  constexpr std::size_t kFold = 1;
  CHECK(preparations(Layout::blocked) == kFold + 1);
  // The gradient of the images is our own kernel, with an order of its own.
  CHECK(preparations(Layout::plain) == kFold + 2);
}

}  // namespace inocula::test
