// Exponential, logarithm, sine and cosine that are the same to the bit on every target.
//
// libm's differ between CPU and GPU in the last bit; series of additions, multiplications and divisions,
// which IEEE 754 rounds alike everywhere (contraction is off on both compilers), do not.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// e^x for x <= 0, relative error below 1e-15; 0 below -708, where the result would leave the normal numbers.
/// x = k ln 2 + r with |r| <= ln 2 / 2, and Taylor's series of e^r to the power 13.
INOCULA_HD inline double portable_exp(double x) {
  // Below -708 go on with a number whose power of two is 0: a selection rather than a branch, so that loops
  // vectorise. A NaN stays one, but its power is that number's.
  constexpr double kVanishing = -709.2;
  const double y = x < -708.0 ? kVanishing : x;
  const double of_power = y > kVanishing ? y : kVanishing;
  const std::int32_t k = static_cast<std::int32_t>(of_power * 1.4426950408889634 - 0.5);
  // ln 2 in two parts, the upper exact in 32 bits, so that k * upper is exact.
  const double r = (y - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  double series = 1.0 / 6227020800.0;
  series = series * r + 1.0 / 479001600.0;
  series = series * r + 1.0 / 39916800.0;
  series = series * r + 1.0 / 3628800.0;
  series = series * r + 1.0 / 362880.0;
  series = series * r + 1.0 / 40320.0;
  series = series * r + 1.0 / 5040.0;
  series = series * r + 1.0 / 720.0;
  series = series * r + 1.0 / 120.0;
  series = series * r + 1.0 / 24.0;
  series = series * r + 1.0 / 6.0;
  series = series * r + 0.5;
  const double e_r = 1.0 + (r + r * r * series);
  const std::uint64_t bits = static_cast<std::uint64_t>(k + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof power);
  return e_r * power;
}

/// ln(1 + x) for finite x >= 0, relative error below 1e-15. ln(m 2^e) = e ln 2 + 2 artanh((m - 1) / (m + 1)).
INOCULA_HD inline double portable_log1p(double x) {
  const double u = 1.0 + x;
  std::uint64_t bits;
  memcpy(&bits, &u, sizeof bits);
  // Split at sqrt(1/2): the mantissa m then lies in [0.7071, 1.4142] and s below 0.1716 in magnitude.
  const std::uint64_t offset = bits - 0x3FE6A09E667F3BCDull;
  const double exponent = static_cast<double>(static_cast<std::int32_t>(offset >> 32) >> 20);
  bits = (offset & 0xFFFFFFFFFFFFFull) + 0x3FE6A09E667F3BCDull;
  double m;
  memcpy(&m, &bits, sizeof m);
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double series = 1.0 / 21;
  series = series * z + 1.0 / 19;
  series = series * z + 1.0 / 17;
  series = series * z + 1.0 / 15;
  series = series * z + 1.0 / 13;
  series = series * z + 1.0 / 11;
  series = series * z + 1.0 / 9;
  series = series * z + 1.0 / 7;
  series = series * z + 1.0 / 5;
  series = series * z + 1.0 / 3;
  // What 1 + x lost in rounding comes back as the derivative's share.
  const double lost = (x - (u - 1.0)) / u;
  return exponent * 6.93147180369123816490e-01 +
         (2.0 * s + (2.0 * s * z * series + (exponent * 1.90821492927058770002e-10 + lost)));
}

/// ln x, 0 < x <= 1, normal numbers only; relative error below 3e-7.
INOCULA_HD inline float portable_log(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const std::uint32_t offset = bits - 0x3F3504F3u;
  const std::int32_t exponent = static_cast<std::int32_t>(offset) >> 23;
  bits = (offset & 0x7FFFFFu) + 0x3F3504F3u;
  float m;
  memcpy(&m, &bits, sizeof m);
  const float s = (m - 1.0f) / (m + 1.0f);
  const float z = s * s;
  const float series = 1.0f + z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
  // ln 2 in two parts, the upper exact in 15 bits, so that exponent * upper is exact.
  return static_cast<float>(exponent) * 0.693145751953125f +
         (2.0f * s * series + static_cast<float>(exponent) * 1.42860677e-6f);
}

struct SinCos {
  float sin, cos;
};

/// Sine and cosine of 2 pi u for u in [0, 1), by Taylor series on an eighth of the circle; error below 3e-7.
INOCULA_HD inline SinCos portable_sincos_turn(float u) {
  const std::int32_t quarter = static_cast<std::int32_t>(4.0f * u + 0.5f);
  const float a = (u - 0.25f * static_cast<float>(quarter)) * 6.283185307f;
  const float z = a * a;
  const float s = a * (1.0f - z * (1.0f / 6 - z * (1.0f / 120 - z * (1.0f / 5040 - z * (1.0f / 362880)))));
  const float c = 1.0f - z * (0.5f - z * (1.0f / 24 - z * (1.0f / 720 - z * (1.0f / 40320))));
  // A quarter turn maps (sin, cos) to (cos, -sin); selections rather than branches, so that loops vectorise.
  const float sine = (quarter & 1) != 0 ? c : s;
  const float cosine = (quarter & 1) != 0 ? s : c;
  return {(quarter & 2) != 0 ? -sine : sine, ((quarter + 1) & 2) != 0 ? -cosine : cosine};
}

INOCULA_END_TARGET
