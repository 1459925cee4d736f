// The machine's best, measured now: arithmetic from registers, matrix products, and copying.
#pragma once

#include <optional>

#include "engine/device.h"

namespace inocula {

struct Roof {
  double fp32_gflops = 0;  ///< fused multiply-adds counted as two
  /// Matrix products of bf16 with sums in fp32, as the backend does them: a convolution of 1x1 pixel windows,
  /// 2048 channels to 2048. None where the device does not compute in bf16.
  std::optional<double> bf16_gflops;
  double copy_gbps = 0;  ///< bytes read plus bytes written, arrays beyond the caches
};

Roof measure_roof(const Device& device);

}  // namespace inocula
