// A row's gradient in units of its largest magnitude.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/for_each.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// Below this the reciprocal overflows; such a gradient counts as zero and moves nothing.
inline constexpr float kSmallestGradient = 1e-37f;

/// Confident networks give gradients of 1e-30, whose squares are 0 in float. A NaN counts as 0, and a
/// gradient that is somewhere infinite as zero.
struct ScaledGradient {
  const float* g;
  float unit;  ///< 0 where the gradient counts as zero

  INOCULA_DEVICE ScaledGradient(const Team& team, const float* gradient, std::int64_t cols) : g(gradient) {
    const float peak = team.largest(cols, 0.0f, [=](std::int64_t i) { return fabsf(gradient[i]); });
    unit = peak > kSmallestGradient ? 1.0f / peak : 0.0f;
  }
  INOCULA_DEVICE float operator()(std::int64_t i) const {
    const float v = unit * g[i];
    return v == v ? v : 0.0f;  // a NaN, or infinity times 0
  }
  /// What to multiply it with so that its Euclidean norm is `length`; 0 where it counts as zero.
  INOCULA_DEVICE float of_length(const Team& team, std::int64_t cols, float length) const {
    const ScaledGradient v = *this;
    const double squares = team.sum(cols, [=](std::int64_t i) {
      const double d = v(i);
      return d * d;
    });
    return unit > 0 ? static_cast<float>(length / sqrt(squares)) : 0.0f;
  }
};

INOCULA_END_TARGET
