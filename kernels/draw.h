// Which random number is meant: (seed, purpose, step, sample, element) -> 32 bits, uniforms and normals.
//
// The same arguments give the same bits on every target, at any batch size and on any number of threads.
// Uniforms and normals use only +, -, *, / and sqrt, which IEEE 754 rounds alike everywhere (contraction
// is off on both compilers), so they are identical to the bit as well.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/philox.h"
#include "kernels/target.h"

namespace inocula {

/// What a random number is drawn for. The values are part of every saved result: never renumber.
enum class Draw : std::uint32_t {
  weights = 1,    ///< initial weights; sample = parameter's index, element = position
  shuffle = 2,    ///< order of an epoch; step = epoch, sample = image
  augment = 3,    ///< flips and crops; step = batch, element = which decision
  start = 4,      ///< random start of an attack; step = optimizer step, sub = restart
  target = 5,     ///< random target class of an attack
  synthesis = 6,  ///< the built-in synthetic data
  corrupt = 7,    ///< noise of corruptions; sub = its kind
  bootstrap = 8,  ///< resamples of a confidence interval; sample = resample, element = position
  mix = 9,        ///< AugMix; sub = view, element = which decision
  square = 10,    ///< windows of the Square attack; sub = restart, element = turn and which decision
  stripes = 11,   ///< start of the Square attack; sub = restart, element = stripe or tile
};

}  // namespace inocula

INOCULA_BEGIN_TARGET

/// The counter's last word; `sub` < 2^24.
INOCULA_HD inline std::uint32_t draw_tag(Draw purpose, std::uint32_t sub) {
  return (static_cast<std::uint32_t>(purpose) << 24) | (sub & 0xFFFFFFu);
}

/// Four random words: number `block` of the stream that (seed, purpose, sub, step, sample) names.
/// `sub` < 2^24 tells apart draws for one purpose, such as the restarts of an attack.
INOCULA_HD inline Philox4 draw4(std::uint64_t seed, Draw purpose, std::uint32_t sub, std::uint32_t step,
                                std::uint32_t sample, std::uint32_t block) {
  return philox4x32({{block, sample, step, draw_tag(purpose, sub)}}, static_cast<std::uint32_t>(seed),
                    static_cast<std::uint32_t>(seed >> 32));
}

/// One random word; element e is word e % 4 of block e / 4.
INOCULA_HD inline std::uint32_t draw(std::uint64_t seed, Draw purpose, std::uint32_t sub, std::uint32_t step,
                                     std::uint32_t sample, std::uint32_t element) {
  return draw4(seed, purpose, sub, step, sample, element / 4).w[element % 4];
}

/// Uniform on [0, 1): the upper 24 bits, every value a multiple of 2^-24.
INOCULA_HD inline float uniform01(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

/// Uniform on (-1, 1): 24 bits at odd multiples of 2^-24, symmetric about 0, never an endpoint.
INOCULA_HD inline float uniform_signed(std::uint32_t word) {
  return static_cast<float>(static_cast<std::int32_t>(word >> 8) * 2 - 0xFFFFFF) * 0x1p-24f;
}

/// Uniform integer in [0, n) by multiplication; its bias is below n / 2^32.
INOCULA_HD inline std::uint32_t uniform_below(std::uint32_t word, std::uint32_t n) {
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(word) * n) >> 32);
}

INOCULA_END_TARGET
