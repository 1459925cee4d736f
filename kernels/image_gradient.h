// The last step of an attack's backward pass: from the first convolution's outputs to the images themselves.
#pragma once

#include <cstdint>

#include "kernels/planes.h"

namespace inocula {

inline constexpr int kMaxImageChannels = 4;

/// image_gradient: backward-data of a convolution whose input is plain images of at most kMaxImageChannels
/// channels: dx[n][c][y][x] = sum over taps and outputs of dy w. Vendors pad such inputs to a whole block.
struct ImageGradient {
  const void* dy = nullptr;  ///< planes of shape `out`, whose block is a multiple of 8; 16-byte aligned
  const float* weights =
      nullptr;          ///< (kernel_h, kernel_w, channels, blocks * block of `out`), zero in the padding
  float* dx = nullptr;  ///< (batch, channels, height, width)
  PlaneShape out;
  std::int64_t channels = 0, height = 0, width = 0;  ///< of the images
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
};

}  // namespace inocula
