// Copying a range of channels between activations: concatenation, its gradient, changes of layout and
// element.
#pragma once

#include <cstdint>

#include "kernels/planes.h"

namespace inocula {

/// copy_channels: to[to_first + c] = from[from_first + c] for c in [0, count), same batch and pixels; the two
/// sides may have different blocks and elements. Where the copy reaches the last channel of `to`, its padding
/// is zeroed.
struct CopyChannels {
  const void* from = nullptr;
  void* to = nullptr;
  PlaneShape from_shape, to_shape;
  std::int64_t from_first = 0, to_first = 0, count = 0;
};

}  // namespace inocula
