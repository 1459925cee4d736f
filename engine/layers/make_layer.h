// From a group of a graph's nodes to the layer that computes them.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/device.h"
#include "engine/fuse.h"
#include "engine/graph.h"
#include "engine/layer.h"
#include "engine/norm_mode.h"

namespace inocula {

struct LayerMode {
  std::int64_t batch = 1;
  NormMode norm = NormMode::frozen;  ///< the one that the group was made with
  Element element = Element::f32;    ///< of activations
  bool input_gradient = false;       ///< a gradient of the group's first input will be asked for
  bool output_gradient = false;      ///< a gradient will arrive
};

/// `group` is one of fuse(graph, mode.norm); the layer refers to `device` alone.
std::unique_ptr<Layer> make_layer(const Device& device, const Graph& graph, const NodeGroup& group,
                                  const LayerMode& mode);

}  // namespace inocula
