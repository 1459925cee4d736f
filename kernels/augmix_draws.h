// What AugMix draws for an image: which operations, how strong, and in which shares they are mixed.
//
// Apart from the kernel, so that the host can ask for the same numbers.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/draw.h"
#include "kernels/normal.h"
#include "kernels/portable_math.h"

namespace inocula {

/// An operation on images of 256 levels a channel. The order is part of every saved result: never renumber.
enum class ImageOp : std::int32_t {
  autocontrast,
  equalize,
  posterize,
  rotate,
  solarize,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  color,
  contrast,
  brightness,
  sharpness,
  flip_horizontal,
  flip_vertical,
};
inline constexpr std::int32_t kImageOps = 15;

/// Which operations chains are made of: the first nine, as the paper's authors train; with the four that
/// resemble corruptions of their benchmark; or flips alone.
enum class ImageOpSet : std::int32_t { standard, all, flips };

inline constexpr std::int32_t kMostChains = 8, kMostDepth = 16;

}  // namespace inocula

INOCULA_BEGIN_TARGET

struct ImageOpRange {
  std::int32_t first, count;
};

INOCULA_HD inline ImageOpRange range_of(ImageOpSet set) {
  if (set == ImageOpSet::flips) return {static_cast<std::int32_t>(ImageOp::flip_horizontal), 2};
  return {0, set == ImageOpSet::standard ? 9 : 13};
}

struct DrawnOp {
  ImageOp kind;
  double level;   ///< 0.1 to the severity
  bool negative;  ///< of the two signs, where an operation has them
};

struct MixWeights {
  double chain[kMostChains];  ///< sum to 1
  double mixed;               ///< the share of all chains together; the image itself has the rest
};

/// ln v for finite v > 0; relative error below 1e-15 but near 1, where it is absolute.
INOCULA_HD inline double portable_log_double(double v) {
  return v >= 1 ? portable_log1p(v - 1) : -portable_log1p(1 / v - 1);
}

/// The random numbers of one image in one view, a function of (seed, view, step, sample).
struct MixDraws {
  std::uint64_t seed;
  std::uint32_t view, step, sample;

  /// How many operations a chain has: `depth`, or, where that is negative, 1, 2 or 3 alike.
  INOCULA_HD std::int32_t depth_of(std::int32_t chain, std::int32_t depth) const {
    if (depth >= 0) return depth;
    return 1 + static_cast<std::int32_t>(uniform_below(words(Purpose::depth, chain).w[0], 3));
  }

  /// Operation number `place` of a chain: drawn with replacement.
  INOCULA_HD DrawnOp operation(std::int32_t chain, std::int32_t place, ImageOpSet set,
                               double severity) const {
    const Philox4 w = words(Purpose::operation, chain * kMostDepth + place);
    const ImageOpRange range = range_of(set);
    const std::uint32_t offset = uniform_below(w.w[0], static_cast<std::uint32_t>(range.count));
    return {static_cast<ImageOp>(range.first + static_cast<std::int32_t>(offset)),
            0.1 + (severity - 0.1) * open_uniform(w.w[1]), w.w[2] >> 31 != 0};
  }

  /// Shares of the chains ~ Dirichlet(alpha, …, alpha), of all of them ~ Beta(alpha, alpha), by Gamma numbers
  /// over their sum. As logarithms these can neither overflow nor all be 0, however small alpha is.
  INOCULA_HD MixWeights weights(std::int32_t chains, double alpha) const {
    MixWeights result = {};
    shares(result.chain, chains, alpha, 0);
    double two[2];
    shares(two, 2, alpha, kMostChains);
    result.mixed = two[0];
    return result;
  }

 private:
  /// Part of every saved result: never renumber.
  enum class Purpose : std::uint32_t { depth = 0, operation = 1, gamma = 2 };
  static constexpr std::int32_t kTries = 64;

  INOCULA_HD Philox4 words(Purpose purpose, std::int32_t index) const {
    return draw4(seed, Draw::mix, view, step, sample,
                 (static_cast<std::uint32_t>(purpose) << 24) | static_cast<std::uint32_t>(index));
  }

  /// Uniform on (0, 1), never an end.
  INOCULA_HD static double open_uniform(std::uint32_t word) {
    return (static_cast<double>(word) + 0.5) * 0x1p-32;
  }

  /// Gamma numbers first … first + n - 1, divided by their sum.
  INOCULA_HD void shares(double* share, std::int32_t n, double alpha, std::int32_t first) const {
    double largest = -1.0e300, sum = 0;
    for (std::int32_t i = 0; i < n; ++i) {
      share[i] = log_gamma_number(alpha, first + i);
      largest = share[i] > largest ? share[i] : largest;
    }
    for (std::int32_t i = 0; i < n; ++i) sum += share[i] = portable_exp(share[i] - largest);
    for (std::int32_t i = 0; i < n; ++i) share[i] /= sum;
  }

  /// The logarithm of Gamma(alpha) number `which`. For alpha = 1 an exponential; else after Marsaglia and
  /// Tsang, "A simple method for generating gamma variables", ACM TOMS 2000, which below 1 takes
  /// Gamma(alpha + 1) times U^(1 / alpha). A try fails once in twenty; that all do, never.
  INOCULA_HD double log_gamma_number(double alpha, std::int32_t which) const {
    const std::int32_t base = which * (kTries + 1);
    const double boost = portable_log_double(open_uniform(words(Purpose::gamma, base).w[0]));
    if (alpha == 1) return portable_log_double(-boost);
    const double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3, c = 1 / sqrt(9 * d);
    double log_v = 0;
    for (std::int32_t attempt = 1; attempt <= kTries; ++attempt) {
      const Philox4 w = words(Purpose::gamma, base + attempt);
      const double x = static_cast<double>(normal_pair(w.w[0], w.w[1]).sin), root = 1 + c * x;
      if (root <= 0) continue;
      const double v = root * root * root;
      log_v = portable_log_double(v);
      if (portable_log_double(open_uniform(w.w[2])) < 0.5 * x * x + d - d * v + d * log_v) break;
    }
    const double log_gamma = portable_log_double(d) + log_v;
    return alpha < 1 ? log_gamma + boost / alpha : log_gamma;
  }
};

INOCULA_END_TARGET
