// Images of one channel that are shown in several, and the gradient that comes back.
#pragma once

#include <cstdint>

namespace inocula {

/// repeat_over_channels: y[row][c][p] = x[row][p].
struct RepeatOverChannels {
  const float* x = nullptr;  ///< (rows, pixels)
  float* y = nullptr;        ///< (rows, channels, pixels)
  std::int64_t rows = 0, channels = 0, pixels = 0;
};

/// sum_over_channels: y[row][p] = x[row][0][p] + x[row][1][p] + …, in this order.
struct SumOverChannels {
  const float* x = nullptr;  ///< (rows, channels, pixels)
  float* y = nullptr;        ///< (rows, pixels)
  std::int64_t rows = 0, channels = 0, pixels = 0;
};

}  // namespace inocula
