// Moving a pixel into the threat model so that it is still inside after rounding to float.
//
// |x - clean| <= eps is promised for the floats that are stored, not for the real numbers they stand for:
// a bound that rounding pushed outwards is pulled back by one float (Knuth's error-free sum tells which).
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// Exact rounding error of a + b: a + b == sum + two_sum_error(a, b, sum) in real numbers.
INOCULA_HD inline float two_sum_error(float a, float b, float sum) {
  const float b_part = sum - a;
  return (a - (sum - b_part)) + (b - b_part);
}

/// The next float above (direction +1) or below (-1) a finite v.
INOCULA_HD inline float next_float(float v, int direction) {
  std::int32_t bits;
  memcpy(&bits, &v, sizeof bits);
  // Order the floats as integers, step, and map back; -0 and +0 count as one.
  std::int32_t ordered = bits >= 0 ? bits : static_cast<std::int32_t>(0x80000000u - static_cast<std::uint32_t>(bits));
  ordered += direction;
  bits = ordered >= 0 ? ordered : static_cast<std::int32_t>(0x80000000u - static_cast<std::uint32_t>(ordered));
  memcpy(&v, &bits, sizeof bits);
  return v;
}

/// clean + delta rounded towards clean: the stored difference never exceeds |delta|.
INOCULA_HD inline float add_towards(float clean, float delta) {
  const float sum = clean + delta;
  const float error = two_sum_error(clean, delta, sum);
  // error > 0: the true sum lies above the stored one.
  const bool overshot = delta > 0 ? error < 0 : error > 0;
  return overshot ? next_float(sum, delta > 0 ? -1 : 1) : sum;
}

/// y projected to the L-infinity ball of radius eps around clean, then to [lo, hi].
INOCULA_HD inline float project_linf(float y, float clean, float eps, float lo, float hi) {
  const float ball_lo = add_towards(clean, -eps);
  const float ball_hi = add_towards(clean, eps);
  const float low = ball_lo > lo ? ball_lo : lo;
  const float high = ball_hi < hi ? ball_hi : hi;
  return y < low ? low : (y > high ? high : y);
}

/// Factor that brings a difference of squared norm `squares` into the L2 ball; just below eps / norm, so that
/// the rounding of the products cannot leave the ball.
INOCULA_HD inline float shrink_to_l2(double squares, float eps) {
  const double limit = static_cast<double>(eps) * eps;
  if (squares <= limit) return 1.0f;
  return static_cast<float>(sqrt(limit / squares) * (1.0 - 0x1p-21));
}

INOCULA_END_TARGET
