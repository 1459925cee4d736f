// Noise of a given structural similarity to its image.
//
// Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
// similarity", IEEE TIP 2004: Gaussian windows of 11 x 11, deviation 1.5, C1 = 0.01^2, C2 = 0.03^2 for pixels
// in [0, 1], the mean over windows and channels. As theirs, windows lie inside the image whole; along a side
// shorter than 11 pixels they are centred at every pixel, cut at the border, their weights still of sum 1.
#pragma once

#include <cstdint>

namespace inocula {

/// Doubles of scratch memory a pixel and channel.
inline constexpr std::int64_t kSsimScratch = 5;

/// match_ssim: x = clip(clean + s direction), s > 0 by bisection so that SSIM(clean, x) is within 1e-4 of
/// `target`, where steps of s's floats allow; where no s is large enough, s = 2^20. Rows of padding are
/// clean.
struct MatchSsim {
  float* x = nullptr;                    ///< (rows, channels, height, width), written
  const float* clean = nullptr;          ///< like x, in [lo, hi]
  const float* direction = nullptr;      ///< like x, in [-1, 1]
  const std::int32_t* sample = nullptr;  ///< (rows); negative: padding
  double* scratch = nullptr;             ///< kSsimScratch for each value of x
  float* reached = nullptr;              ///< (rows): SSIM of the answers; may be null
  std::int64_t rows = 0, channels = 0, height = 0, width = 0;
  float target = 1;  ///< in (0, 1)
  float lo = 0, hi = 1;
};

}  // namespace inocula
