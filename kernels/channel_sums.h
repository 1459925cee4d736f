// The gradient of a convolution's bias: the sums of its outputs' gradient over batch and pixels.
#pragma once

#include <cstdint>

#include "kernels/planes.h"

namespace inocula {

/// add_channel_sums: sum[c] += the sum of dy over batch and pixels, by a fixed tree (kernels/plane_sums.h).
struct AddChannelSums {
  const void* dy = nullptr;
  float* sum = nullptr;      ///< (channels)
  float* partial = nullptr;  ///< scratch: planes * block floats
  PlaneShape shape;
};

}  // namespace inocula
