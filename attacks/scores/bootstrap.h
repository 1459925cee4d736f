// Confidence intervals of scores by resampling images.
//
// Efron and Tibshirani, "An introduction to the bootstrap", 1993: the percentile interval.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "attacks/scores/metrics.h"

namespace inocula::attacks {

struct BootstrapSpec {
  std::int64_t resamples = 1000;  ///< 0: no intervals
  std::uint64_t seed = 0;
  int threads = 1;  ///< changes no result
};

/// The images of one resample: `n` of 0 … n - 1 with replacement, a function of (seed, resample).
std::vector<std::uint32_t> resample_images(std::uint64_t seed, std::int64_t resample, std::int64_t n);

/// The 2.5 and 97.5 % quantiles of each value, interpolated linearly, over the resamples in which it is
/// finite; NaN where it never is. `values` answers as many numbers for every resample.
std::vector<Interval> bootstrap95(const Predictions& predictions, const BootstrapSpec& spec,
                                  const std::function<std::vector<double>(const Predictions&)>& values);

}  // namespace inocula::attacks
