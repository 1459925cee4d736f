// The answer that a row of logits gives.
#pragma once

#include <cstdint>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// Index of the largest, the lowest among equals; a NaN is passed over, and all NaN give 0.
INOCULA_DEVICE inline std::int64_t arg_max(const float* z, std::int64_t classes) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < classes; ++j)
    if (z[j] > z[best] || (z[best] != z[best] && z[j] == z[j])) best = j;
  return best;
}

INOCULA_END_TARGET
