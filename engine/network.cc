// Parameters of a network: which there are, and how they start.
#include "engine/network.h"

#include <cmath>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "kernels/draw.h"

namespace inocula {

namespace {

void declare_parameters(const Graph& graph, ParameterStore& store) {
  for (const Node& node : graph.nodes()) {
    if (const auto* conv = std::get_if<op::Conv>(&node.operation)) {
      const std::int64_t in = graph.node(node.inputs[0]).shape.c / conv->groups;
      store.weights.add(node.name + ".weight",
                        {conv->out_channels, in, conv->window.kernel_h, conv->window.kernel_w});
      if (conv->bias) store.weights.add(node.name + ".bias", {conv->out_channels});
    } else if (std::holds_alternative<op::BatchNorm>(node.operation)) {
      for (const char* part : {".weight", ".bias"}) store.weights.add(node.name + part, {node.shape.c});
      for (const char* part : {".running_mean", ".running_var"})
        store.statistics.add(node.name + part, {node.shape.c});
    } else if (const auto* linear = std::get_if<op::Linear>(&node.operation)) {
      store.weights.add(node.name + ".weight",
                        {linear->out_features, graph.node(node.inputs[0]).shape.per_sample()});
      if (linear->bias) store.weights.add(node.name + ".bias", {linear->out_features});
    }
  }
}

std::string in_one_line(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.replace(at, 1, ", ");
  return text;
}

void fill_entry(Buffer& buffer, const ParameterEntry& entry, float value) {
  const std::vector<float> values(static_cast<std::size_t>(entry.count), value);
  buffer.upload(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
}

}  // namespace

Network::Network(Graph graph, const Device& device, Precision precision)
    : graph_(std::move(graph)), device_(device), precision_(precision) {
  if (!device_.backend().supports(precision_))
    fail(ErrorKind::missing_package, "precision ", to_string(precision_), " cannot be used on device '",
         device_.name(), "': ", in_one_line(device_.backend().describe()));
  declare_parameters(graph_, parameters_);
  parameters_.allocate(device_);
  reset_norms();
}

void Network::reset_norms() {
  for (const Node& node : graph_.nodes()) {
    if (!std::holds_alternative<op::BatchNorm>(node.operation)) continue;
    fill_entry(parameters_.values, parameters_.weights.find(node.name + ".weight"), 1);
    fill_entry(parameters_.values, parameters_.weights.find(node.name + ".bias"), 0);
    fill_entry(parameters_.running, parameters_.statistics.find(node.name + ".running_mean"), 0);
    fill_entry(parameters_.running, parameters_.statistics.find(node.name + ".running_var"), 1);
  }
  parameters_.batches_tracked = 0;
}

void Network::initialize(std::uint64_t seed) {
  reset_norms();
  std::uint32_t index = 0;
  const auto draw_uniform = [&](const std::string& name, double bound) {
    const ParameterEntry& entry = parameters_.weights.find(name);
    std::vector<float> values(static_cast<std::size_t>(entry.count));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(
          bound * uniform_signed(draw(seed, Draw::weights, 0, 0, index, static_cast<std::uint32_t>(i))));
    parameters_.values.upload(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
    ++index;
  };
  for (const Node& node : graph_.nodes()) {
    std::int64_t fan_in = 0;
    bool bias = false;
    if (const auto* conv = std::get_if<op::Conv>(&node.operation)) {
      fan_in =
          graph_.node(node.inputs[0]).shape.c / conv->groups * conv->window.kernel_h * conv->window.kernel_w;
      bias = conv->bias;
    } else if (const auto* linear = std::get_if<op::Linear>(&node.operation)) {
      fan_in = graph_.node(node.inputs[0]).shape.per_sample();
      bias = linear->bias;
    } else {
      continue;
    }
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    draw_uniform(node.name + ".weight", bound);
    if (bias) draw_uniform(node.name + ".bias", bound);
  }
}

}  // namespace inocula
