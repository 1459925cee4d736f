// The machine's best, measured now: arithmetic from registers, and copying.
#pragma once

#include "engine/device.h"

namespace inocula {

struct Roof {
  double fp32_gflops = 0;  ///< fused multiply-adds counted as two
  double copy_gbps = 0;    ///< bytes read plus bytes written, arrays beyond the caches
};

Roof measure_roof(const Device& device);

}  // namespace inocula
