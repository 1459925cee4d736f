// Normal random numbers that are the same to the bit on every target.
//
// Box and Muller (1958) over our own logarithm, sine and cosine: libm's differ between CPU and GPU in the
// last bit, series of additions and multiplications do not. Relative error of each below 3e-7.
#pragma once

#include "kernels/draw.h"

INOCULA_BEGIN_TARGET

/// Natural logarithm of x, 0 < x <= 1, normal numbers only. ln(m 2^e) = e ln 2 + 2 artanh((m - 1) / (m + 1)).
INOCULA_HD inline float portable_log(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  // Split at sqrt(1/2): the mantissa m then lies in [0.7071, 1.4142] and s below 0.1716 in magnitude.
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

/// Sine and cosine of 2 pi u for u in [0, 1), by Taylor series on an eighth of the circle.
INOCULA_HD inline SinCos portable_sincos_turn(float u) {
  const std::int32_t quarter = static_cast<std::int32_t>(4.0f * u + 0.5f);
  const float a = (u - 0.25f * static_cast<float>(quarter)) * 6.283185307f;
  const float z = a * a;
  const float s =
      a * (1.0f - z * (1.0f / 6 - z * (1.0f / 120 - z * (1.0f / 5040 - z * (1.0f / 362880)))));
  const float c = 1.0f - z * (0.5f - z * (1.0f / 24 - z * (1.0f / 720 - z * (1.0f / 40320))));
  switch (quarter & 3) {
    case 0: return {s, c};
    case 1: return {c, -s};
    case 2: return {-s, -c};
    default: return {-c, s};
  }
}

/// Two independent standard normals from two random words; never infinite (the largest is 5.77).
INOCULA_HD inline SinCos normal_pair(std::uint32_t word0, std::uint32_t word1) {
  const float u = (static_cast<float>(word0 >> 8) + 1.0f) * 0x1p-24f;  // (0, 1]
  const float radius = sqrtf(-2.0f * portable_log(u));
  const SinCos turn = portable_sincos_turn(uniform01(word1));
  return {radius * turn.sin, radius * turn.cos};
}

/// Standard normal number `element` of a stream; elements 2i and 2i + 1 share their two words.
INOCULA_HD inline float normal(std::uint64_t seed, Draw purpose, std::uint32_t sub, std::uint32_t step,
                               std::uint32_t sample, std::uint32_t element) {
  const Philox4 words = draw4(seed, purpose, sub, step, sample, element / 4);
  const int pair = static_cast<int>(element % 4 / 2) * 2;
  const SinCos z = normal_pair(words.w[pair], words.w[pair + 1]);
  return element % 2 == 0 ? z.sin : z.cos;
}

INOCULA_END_TARGET
