// Normal random numbers that are the same to the bit on every target, after Box and Muller (1958).
#pragma once

#include <cmath>

#include "kernels/draw.h"
#include "kernels/portable_math.h"

INOCULA_BEGIN_TARGET

/// Two independent standard normals from two random words; never infinite (the largest is 5.77).
INOCULA_HD inline SinCos normal_pair(std::uint32_t word0, std::uint32_t word1) {
  const float u = (static_cast<float>(word0 >> 8) + 1.0f) * 0x1p-24f;  // (0, 1]
  const float radius = sqrtf(-2.0f * portable_log(u));
  const SinCos turn = portable_sincos_turn(uniform01(word1));
  return {radius * turn.sin, radius * turn.cos};
}

/// Standard normals 4 block … 4 block + 3 of a stream, from the four words of one draw.
struct Normal4 {
  float v[4];
};
INOCULA_HD inline Normal4 normal4(const Philox4& words) {
  const SinCos a = normal_pair(words.w[0], words.w[1]);
  const SinCos b = normal_pair(words.w[2], words.w[3]);
  return {{a.sin, a.cos, b.sin, b.cos}};
}

/// Standard normal number `element` of a stream; elements 2i and 2i + 1 share their two words.
INOCULA_HD inline float normal(std::uint64_t seed, Draw purpose, std::uint32_t sub, std::uint32_t step,
                               std::uint32_t sample, std::uint32_t element) {
  return normal4(draw4(seed, purpose, sub, step, sample, element / 4)).v[element % 4];
}

INOCULA_END_TARGET
