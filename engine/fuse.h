// Which nodes of a graph become one layer: convolution, norm, residual sum and ReLU in one pass over memory.
#pragma once

#include <vector>

#include "engine/graph.h"
#include "engine/norm_mode.h"

namespace inocula {

/// A run of nodes that one layer computes; -1 where there is none of that kind.
struct NodeGroup {
  Value conv = -1;
  Value norm = -1;
  Value add = -1;
  Value relu = -1;
  Value other = -1;           ///< any operation that is never fused
  std::vector<Value> inputs;  ///< the group's input, then the residual's value if it has one
  Value output = -1;          ///< the last node's value
};

/// Groups in the order in which they can be computed. With frozen statistics the norm joins its convolution;
/// with batch statistics it stands by itself, since it must see the whole batch first. A value that somebody
/// else reads ends its group.
std::vector<NodeGroup> fuse(const Graph& graph, NormMode mode);

}  // namespace inocula
