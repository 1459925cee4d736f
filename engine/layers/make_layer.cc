// Which layer computes which operations.
#include "engine/layers/make_layer.h"

#include <utility>

#include "engine/error.h"
#include "engine/layers/concat.h"
#include "engine/layers/conv.h"
#include "engine/layers/linear.h"
#include "engine/layers/norm.h"
#include "engine/layers/pointwise.h"
#include "engine/layers/pool.h"

namespace inocula {

std::unique_ptr<Layer> make_layer(const Device& device, const Graph& graph, const NodeGroup& g,
                                  const LayerMode& mode) {
  const bool keep_sign = g.relu >= 0 && mode.output_gradient;
  if (g.conv >= 0) {
    const Node& node = graph.node(g.conv);
    ConvLayerSpec spec{.name = node.name,
                       .geometry = conv_geometry(graph, node, mode.batch, mode.element),
                       .bias = std::get<op::Conv>(node.operation).bias,
                       .norm = {},
                       .residual = g.add >= 0,
                       .relu = g.relu >= 0,
                       .keep_sign = keep_sign,
                       .input_gradient = mode.input_gradient};
    if (g.norm >= 0)
      spec.norm =
          FoldedNorm{graph.node(g.norm).name, std::get<op::BatchNorm>(graph.node(g.norm).operation).eps};
    return std::make_unique<ConvLayer>(device, std::move(spec));
  }
  if (g.norm >= 0) {
    const Node& node = graph.node(g.norm);
    const auto& norm = std::get<op::BatchNorm>(node.operation);
    return std::make_unique<NormLayer>(NormLayerSpec{.name = node.name,
                                                     .mode = mode.norm,
                                                     .eps = norm.eps,
                                                     .momentum = norm.momentum,
                                                     .residual = g.add >= 0,
                                                     .relu = g.relu >= 0,
                                                     .keep_sign = keep_sign});
  }
  if (g.add >= 0 || g.relu >= 0)
    return std::make_unique<PointwiseLayer>(graph.node(g.output).name, g.add >= 0, g.relu >= 0, keep_sign);

  const Node& node = graph.node(g.other);
  const Shape out = node.shape.with_batch(mode.batch);
  if (const auto* o = std::get_if<op::Normalize>(&node.operation))
    return std::make_unique<NormalizeLayer>(device, o->mean, o->std);
  if (const auto* o = std::get_if<op::MaxPool>(&node.operation))
    return std::make_unique<MaxPoolLayer>(node.name, o->window, out, mode.input_gradient);
  if (const auto* o = std::get_if<op::AveragePool>(&node.operation))
    return std::make_unique<AveragePoolLayer>(node.name, o->window, out);
  if (std::holds_alternative<op::GlobalAveragePool>(node.operation))
    return std::make_unique<GlobalAveragePoolLayer>(node.name);
  if (const auto* o = std::get_if<op::Linear>(&node.operation))
    return std::make_unique<LinearLayer>(node.name, o->out_features, o->bias);
  if (std::holds_alternative<op::Concat>(node.operation))
    return std::make_unique<ConcatLayer>(node.name, out);
  fail(ErrorKind::internal, "node '", node.name, "' has no layer");
}

}  // namespace inocula
