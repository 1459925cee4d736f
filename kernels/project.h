// Moving a pixel into the threat model so that it is still inside after rounding to float.
//
// |x - clean| <= eps is promised for the floats that are stored, not for the real numbers they stand for:
// a bound that rounding pushed outwards is pulled back by one float (Knuth's error-free sum tells which).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// Exact rounding error of a + b: a + b == sum + two_sum_error(a, b, sum) in real numbers.
INOCULA_HD inline float two_sum_error(float a, float b, float sum) {
  const float b_part = sum - a;
  return (a - (sum - b_part)) + (b - b_part);
}

/// clean + delta rounded towards clean: the stored difference never exceeds |delta|.
INOCULA_HD inline float add_towards(float clean, float delta) {
  float sum = clean + delta;
  const float error = two_sum_error(clean, delta, sum);
  // Selections of numbers, not of conditions: those do not vectorise.
  const float outward_error = delta > 0 ? error : -error;
  const std::int32_t back = delta > 0 ? -1 : 1;
  const std::int32_t step = outward_error < 0 ? back : 0;
  // One float back. A sum with an error is not 0, so its neighbour is the next integer, downwards below zero.
  std::int32_t bits;
  memcpy(&bits, &sum, sizeof bits);
  bits += bits >= 0 ? step : -step;
  memcpy(&sum, &bits, sizeof bits);
  return sum;
}

/// y moved into [lo, hi]; a NaN stays.
INOCULA_HD inline float clip(float y, float lo, float hi) {
  return y < lo ? lo : (y > hi ? hi : y);
}

/// y projected to the L-infinity ball of radius eps around clean, then to [lo, hi].
INOCULA_HD inline float project_linf(float y, float clean, float eps, float lo, float hi) {
  const float ball_lo = add_towards(clean, -eps);
  const float ball_hi = add_towards(clean, eps);
  return clip(y, ball_lo > lo ? ball_lo : lo, ball_hi < hi ? ball_hi : hi);
}

/// project_linf(clean + delta, clean, eps, lo, hi) for |delta| <= eps: rounding can push it over that bound
/// of the ball alone towards which it goes.
INOCULA_HD inline float step_within_linf(float clean, float delta, float eps, float lo, float hi) {
  const bool up = delta > 0;
  const float bound = add_towards(clean, up ? eps : -eps);
  const float lower = !up && bound > lo ? bound : lo;
  const float upper = up && bound < hi ? bound : hi;
  return clip(clean + delta, lower, upper);
}

/// Whether a difference of squared norm `squares`, summed in double, is inside the L2 ball whatever the sum's
/// own rounding did.
INOCULA_HD inline bool in_l2_ball(double squares, float eps) {
  return squares <= static_cast<double>(eps) * eps * (1.0 - 0x1p-40);
}

/// A factor of eps / norm lies this far below 1, so that rounding the differences, the factor and the
/// products to float (2^-24 each) cannot leave the ball.
inline constexpr double kInsideBall = 1.0 - 0x1p-21;

/// Factor that brings a difference of squared norm `squares` outside the L2 ball into it.
INOCULA_HD inline float shrink_to_l2(double squares, float eps) {
  return static_cast<float>(eps / sqrt(squares) * kInsideBall);
}

INOCULA_END_TARGET
