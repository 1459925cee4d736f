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

/// Each is the best of several short runs.
Roof measure_roof(const Device& device);
/// Fused multiply-adds from registers, counted as two operations: Roof::fp32_gflops. `effort` scales the work
/// that is measured; with a small one the answer is quick and too low.
double measure_fp32_gflops(const Device& device, double effort = 1);
/// Copying one buffer to another of the same size, by our kernel or the vendor's copy, whichever is faster:
/// Roof::copy_gbps where they are beyond the caches.
double measure_copy_gbps(const Device& device, const Buffer& from, const Buffer& to);

}  // namespace inocula
