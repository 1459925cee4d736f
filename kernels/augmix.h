// AugMix: an image mixed with chains of operations on itself, a function of (seed, view, step, sample).
//
// Hendrycks, Mu, Cubuk, Zoph, Gilmer and Lakshminarayanan, "AugMix: a simple data processing method to
// improve robustness and uncertainty", ICLR 2020. Operations are those of Pillow that the authors' program
// calls, on the same 256 levels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/augmix_draws.h"
#include "kernels/step_state.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// Bytes that a row of `pixels` values needs to work in: two images of bytes, a histogram and a table.
INOCULA_HD inline constexpr std::size_t augmix_scratch_bytes(std::int64_t pixels) {
  return 256 * sizeof(std::uint64_t) + 256 + 2 * static_cast<std::size_t>((pixels + 7) / 8 * 8);
}

INOCULA_END_TARGET

namespace inocula {

/// augmix: y = clip((1 - m) x + m (w_1 chain_1(x) + … + w_n chain_n(x)), 0, 1), w ~ Dirichlet(alpha, …), m ~
/// Beta(alpha, alpha). A chain applies `depth` operations of the set one after the other to the image,
/// rounded to 256 levels; each is drawn with replacement and has a level uniform on 0.1 to severity.
struct AugMix {
  float* y = nullptr;                    ///< (rows, channels, height, width), written; not x
  const float* x = nullptr;              ///< (rows, channels, height, width), in [0, 1]
  const std::int32_t* sample = nullptr;  ///< (rows): index of the image in its data set; negative for padding
  const StepState* state = nullptr;
  std::uint8_t* scratch = nullptr;  ///< (rows, augmix_scratch_bytes(channels height width)), 8-aligned
  std::int64_t rows = 0;
  std::int64_t channels = 0;  ///< for color and contrast 1, grey, or 3, red, green and blue
  std::int64_t height = 0, width = 0;
  float severity = 3;       ///< 0.1 to 10
  std::int32_t chains = 3;  ///< 1 to kMostChains
  std::int32_t depth = -1;  ///< 0 to kMostDepth, or -1: 1, 2 or 3 alike, drawn for each chain
  float alpha = 1;          ///< above 0
  ImageOpSet set = ImageOpSet::standard;
  std::uint32_t view = 0;  ///< which of several independent mixtures, below 2^24
};

/// augment: y = one operation on x rounded to 256 levels, at a level from 0 to 10.
///
/// autocontrast  each channel stretched so that its darkest level is 0 and its lightest 255
/// equalize      each channel by Pillow's table, the histogram's sums over a 255th of them
/// posterize     the upper 4 - trunc(4 level / 10) bits stay, at least one
/// solarize      levels from 256 - trunc(256 level / 10) on are inverted
/// rotate        by trunc(30 level / 10) degrees about the centre, counterclockwise unless negative
/// shear_x       x moves by 0.3 level / 10 of y; shear_y the other way round
/// translate_x   by trunc(width / 3 level / 10) pixels to the left unless negative; translate_y upwards
/// color, contrast, brightness, sharpness
///               the image mixed in the share 1.8 level / 10 + 0.1 with itself in grey, with the mean of its
///               luma, with black, with itself smoothed by [1 1 1; 1 5 1; 1 1 1] / 13, unsmoothed at its edge
/// Where a transformed image has no pixel it is black; elsewhere it is bilinear.
struct Augment {
  float* y = nullptr;               ///< (rows, channels, height, width), written; may be x
  const float* x = nullptr;         ///< (rows, channels, height, width), in [0, 1]
  std::uint8_t* scratch = nullptr;  ///< as AugMix's
  std::int64_t rows = 0, channels = 0, height = 0, width = 0;
  ImageOp kind = ImageOp::autocontrast;
  std::int32_t negative = 0;
  double level = 0;
};

}  // namespace inocula
