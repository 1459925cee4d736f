// Recording a network's passes from its layers'.
#include "engine/recording.h"

#include <utility>

#include "engine/error.h"
#include "engine/layers/make_layer.h"

namespace inocula {

Recording::Recording(Recorder& recorder, Network& network, std::int64_t batch, RecordingMode mode)
    : recorder_(recorder),
      network_(network),
      batch_(batch),
      mode_(mode),
      parameters_(recorder, network.parameters()),
      groups_(fuse(network.graph(), mode.norm)) {
  if (batch < 1) fail(ErrorKind::usage, "batch size is ", batch, ", expected at least 1");
  check_all_read();
  find_wanted();
  const Element element = element_of(network.precision());
  // Only then do images not depend on each other.
  if (mode.norm == NormMode::frozen && !mode.parameter_gradients)
    strip_ = find_strip(recorder.device(), network.graph(), groups_, element, batch);
  for (const NodeGroup& group : groups_)
    layers_.push_back(make_layer(recorder.device(), network.graph(), group,
                                 {.batch = layers_.size() < strip_.groups ? strip_.images : batch,
                                  .norm = mode.norm,
                                  .element = element,
                                  .input_gradient = wants_gradient(group.inputs[0]),
                                  .output_gradient = wants_gradient(group.output)}));
  recorder_.preparation([&] {
    for (const std::unique_ptr<Layer>& layer : layers_) layer->prepare(recorder_, parameters_);
  });
}

Recording::~Recording() = default;

void Recording::check_all_read() const {
  const Graph& graph = network_.graph();
  std::vector<bool> read(graph.nodes().size(), false);
  read[static_cast<std::size_t>(graph.output())] = true;
  for (const Node& node : graph.nodes())
    for (const Value v : node.inputs) read[static_cast<std::size_t>(v)] = true;
  for (std::size_t v = 0; v < read.size(); ++v)
    if (!read[v]) fail(ErrorKind::usage, "node '", graph.nodes()[v].name, "': nothing reads its value");
}

void Recording::find_wanted() {
  const Graph& graph = network_.graph();
  for (const Node& node : graph.nodes()) {
    bool wanted = std::holds_alternative<op::Input>(node.operation) && mode_.input_gradient;
    for (const Value input : node.inputs) wanted = wanted || wanted_[static_cast<std::size_t>(input)];
    const bool trained = std::holds_alternative<op::Conv>(node.operation) ||
                         std::holds_alternative<op::BatchNorm>(node.operation) ||
                         std::holds_alternative<op::Linear>(node.operation);
    wanted_.push_back(wanted || (trained && mode_.parameter_gradients));
  }
}

ForwardTrace Recording::forward(const Tensor& images) {
  const Shape expected = network_.graph().input_shape().with_batch(batch_);
  if (!(images.shape == expected) || images.layout != Layout::plain || images.dtype != DType::f32)
    fail(ErrorKind::internal, "Recording::forward: images are ", images.shape.to_string(),
         ", expected plain fp32 ", expected.to_string());
  Values values{{0, images}};
  ForwardTrace trace;
  trace.layers.resize(groups_.size());
  if (strip_.groups > 0) {
    forward_strip(images, trace);
    values[groups_[strip_.groups - 1].output] = trace.layers[strip_.groups - 1].y;
  }
  forward(strip_.groups, groups_.size(), values, trace.layers);
  trace.logits = values.at(network_.graph().output());
  if (trace.logits.layout != Layout::plain || trace.logits.shape.pixels() != 1)
    fail(ErrorKind::usage, "node '", network_.graph().node(network_.graph().output()).name,
         "': ends the network with ", trace.logits.shape.to_string(),
         ", expected logits from a linear layer or global pooling");
  return trace;
}

void Recording::forward_strip(const Tensor& images, ForwardTrace& trace) {
  const NodeGroup& end = groups_[strip_.groups - 1];
  const Node& node = network_.graph().node(end.output);
  const Shape shape = node.shape.with_batch(batch_);
  LayerTrace& whole = trace.layers[strip_.groups - 1];
  whole.y = recorder_.make(node.name + " of all slices", shape, dtype_of(element_of(network_.precision())),
                           Layout::blocked);
  if (end.relu >= 0 && wants_gradient(end.output))
    whole.sign = recorder_.make(node.name + " signs of all slices", shape, DType::bits, Layout::blocked);
  for (std::int64_t first = 0; first < batch_; first += strip_.images) {
    const auto slice = [&](const Tensor& t) { return t ? recorder_.part(t, first, strip_.images) : t; };
    std::vector<LayerTrace>& layers = trace.slices.emplace_back(strip_.groups);
    layers.back().y = slice(whole.y);
    layers.back().sign = slice(whole.sign);
    Values values{{0, slice(images)}};
    forward(0, strip_.groups, values, layers);
  }
}

void Recording::forward(std::size_t begin, std::size_t end, Values& values, std::vector<LayerTrace>& layers) {
  for (std::size_t i = begin; i < end; ++i) {
    LayerTrace& layer = layers[i];
    for (const Value v : groups_[i].inputs) layer.x.push_back(values.at(v));
    const Layout joined = groups_[i].conv >= 0 ? Layout::blocked : layer.x[0].layout;
    for (std::size_t input = 1; input < layer.x.size(); ++input)
      if (layer.x[input].layout != joined)
        fail(ErrorKind::usage, "node '", network_.graph().node(groups_[i].output).name,
             "': joins images or pooled features with a convolution's; put a convolution between them");
    layers_[i]->forward(recorder_, parameters_, layer);
    values[groups_[i].output] = layer.y;
  }
}

Tensor Recording::backward(ForwardTrace& trace, const Tensor& dlogits) {
  const Tensor dy = pass_gradient(recorder_, dlogits, {{}, trace.layers.back().sign});
  const Tensor dx = backward(strip_.groups, groups_.size(), trace.layers, dy);
  return strip_.groups > 0 && dx ? backward_strip(trace, dx) : dx;
}

Tensor Recording::backward_strip(ForwardTrace& trace, const Tensor& dy) {
  const Tensor gradient =
      recorder_.make("image gradient of all slices", network_.graph().input_shape().with_batch(batch_));
  std::int64_t first = 0;
  for (std::vector<LayerTrace>& layers : trace.slices) {
    const Tensor dx = backward(0, strip_.groups, layers, recorder_.part(dy, first, strip_.images));
    recorder_.copy("gradient.join_slices", dx, recorder_.part(gradient, first, strip_.images));
    first += strip_.images;
  }
  return gradient;
}

Tensor Recording::backward(std::size_t begin, std::size_t end, std::vector<LayerTrace>& layers,
                           const Tensor& dy) {
  struct Arriving {
    Tensor sum;       ///< of the contributions so far
    int missing = 0;  ///< contributions still to come
    Tensor sign;      ///< of the ReLU that made the value
  };
  std::map<Value, Arriving> gradients;
  const Value entry = begin > 0 ? groups_[begin - 1].output : 0;
  if (begin > 0) gradients[entry].sign = layers[begin - 1].sign;
  for (std::size_t i = begin; i < end; ++i) {
    gradients[groups_[i].output].sign = layers[i].sign;
    for (const Value v : groups_[i].inputs) gradients[v].missing += 1;
  }
  gradients[groups_[end - 1].output].sum = dy;

  for (std::size_t i = end; i-- > begin;) {
    LayerTrace& layer = layers[i];
    if (!wants_gradient(groups_[i].output)) continue;
    layer.dy = gradients[groups_[i].output].sum;
    if (mode_.parameter_gradients) layers_[i]->backward_params(recorder_, parameters_, layer);
    for (std::size_t input = 0; input < groups_[i].inputs.size(); ++input) {
      const Value v = groups_[i].inputs[input];
      Arriving& g = gradients[v];
      g.missing -= 1;
      if (!wants_gradient(v)) continue;
      const GradientSink sink{g.sum, g.missing == 0 ? g.sign : Tensor{}};
      g.sum = layers_[i]->backward_data(recorder_, parameters_, layer, input, sink);
    }
  }
  return gradients[entry].sum;
}

}  // namespace inocula
