// A radius or a step's length that each row has its own share of.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// `length` times the row's factor; with no factors, or an infinite length, `length` itself.
INOCULA_HD inline float of_row(float length, const float* factor, std::int64_t row) {
  return factor == nullptr || !(length < INFINITY) ? length : length * factor[row];
}

INOCULA_END_TARGET
