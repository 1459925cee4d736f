// Which leading layers of a network run a few images at a time, so that what one writes the next finds
// cached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/device.h"
#include "engine/fuse.h"
#include "engine/graph.h"

namespace inocula {

/// The leading groups of a network up to a convolution whose value is all that later groups read.
struct Strip {
  std::size_t groups = 0;   ///< how many; 0: every layer runs over the whole batch
  std::int64_t images = 0;  ///< of a slice: a part of the batch that divides it
};

/// `groups` are those of fuse(graph, NormMode::frozen): images must not depend on each other. A function of
/// the device's caches, the network and the batch, never of a clock.
Strip find_strip(const Device& device, const Graph& graph, const std::vector<NodeGroup>& groups,
                 Element element, std::int64_t batch);

}  // namespace inocula
