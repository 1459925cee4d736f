// Maximum, average and global average pooling, forward and backward; no atomics in either direction. `in` and
// `out` are of one element.
#pragma once

#include <cstdint>

#include "kernels/planes.h"

namespace inocula {

struct PoolWindow {
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
};

/// max_pool: PyTorch's MaxPool2d without ceil mode or dilation. `arg` holds for each output which cell of its
/// window won, row-major (the first among equals; a NaN wins, the last of them): at most
/// 256 cells a window.
struct MaxPool {
  const void* x = nullptr;
  void* y = nullptr;
  std::uint8_t* arg = nullptr;  ///< like y; may be null where no gradient is wanted
  PlaneShape in, out;
  PoolWindow window;
};

/// max_pool_backward: each input collects dy of the windows it won; plus `add`, masked by `positive`.
struct MaxPoolBackward {
  const void* dy = nullptr;
  const std::uint8_t* arg = nullptr;
  const void* add = nullptr;               ///< like dx; may be null
  const std::uint8_t* positive = nullptr;  ///< for dx; may be null
  void* dx = nullptr;
  PlaneShape in, out;
  PoolWindow window;
};

/// average_pool: PyTorch's AvgPool2d: padding counts as zeros in the mean (count_include_pad).
struct AveragePool {
  const void* x = nullptr;
  void* y = nullptr;
  PlaneShape in, out;
  PoolWindow window;
};

/// average_pool_backward: each input collects its share of dy; plus `add`, masked by `positive`.
struct AveragePoolBackward {
  const void* dy = nullptr;
  const void* add = nullptr;               ///< like dx; may be null
  const std::uint8_t* positive = nullptr;  ///< for dx; may be null
  void* dx = nullptr;
  PlaneShape in, out;
  PoolWindow window;
};

/// global_average_pool: mean over the pixels; the result is plain floats (batch, channels), without padding.
struct GlobalAveragePool {
  const void* x = nullptr;
  float* y = nullptr;  ///< (batch, channels)
  PlaneShape in;
};

/// global_average_pool_backward: dx = dy / pixels, plus `add`, masked by `positive`; zeros in the padding.
struct GlobalAveragePoolBackward {
  const float* dy = nullptr;  ///< (batch, channels)
  const void* add = nullptr;
  const std::uint8_t* positive = nullptr;
  void* dx = nullptr;
  PlaneShape in;
};

}  // namespace inocula
