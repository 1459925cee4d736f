// Recording a network's passes from its layers'.
#include "engine/recording.h"

#include <map>
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
  for (const NodeGroup& group : groups_)
    layers_.push_back(make_layer(recorder.device(), network.graph(), group,
                                 {.batch = batch,
                                  .norm = mode.norm,
                                  .element = element_of(network.precision()),
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
  std::map<Value, Tensor> values{{0, images}};
  ForwardTrace trace;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    LayerTrace layer;
    for (const Value v : groups_[i].inputs) layer.x.push_back(values.at(v));
    const Layout joined = groups_[i].conv >= 0 ? Layout::blocked : layer.x[0].layout;
    for (std::size_t input = 1; input < layer.x.size(); ++input)
      if (layer.x[input].layout != joined)
        fail(ErrorKind::usage, "node '", network_.graph().node(groups_[i].output).name,
             "': joins images or pooled features with a convolution's; put a convolution between them");
    layers_[i]->forward(recorder_, parameters_, layer);
    values[groups_[i].output] = layer.y;
    trace.layers.push_back(std::move(layer));
  }
  trace.logits = values.at(network_.graph().output());
  if (trace.logits.layout != Layout::plain || trace.logits.shape.pixels() != 1)
    fail(ErrorKind::usage, "node '", network_.graph().node(network_.graph().output()).name,
         "': ends the network with ", trace.logits.shape.to_string(),
         ", expected logits from a linear layer or global pooling");
  return trace;
}

Tensor Recording::backward(ForwardTrace& trace, const Tensor& dlogits) {
  struct Arriving {
    Tensor sum;       ///< of the contributions so far
    int missing = 0;  ///< contributions still to come
    Tensor sign;      ///< of the ReLU that made the value
  };
  std::map<Value, Arriving> gradients;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    gradients[groups_[i].output].sign = trace.layers[i].sign;
    for (const Value v : groups_[i].inputs) gradients[v].missing += 1;
  }
  const Value output = network_.graph().output();
  gradients[output].sum = pass_gradient(recorder_, dlogits, {{}, gradients[output].sign});

  for (std::size_t i = groups_.size(); i-- > 0;) {
    LayerTrace& layer = trace.layers[i];
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
  return mode_.input_gradient ? gradients.at(0).sum : Tensor{};
}

}  // namespace inocula
