// Resamples, and quantiles of what they give.
#include "attacks/scores/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

#include "engine/error.h"
#include "kernels/draw.h"

namespace inocula::attacks {

namespace {

/// Of sorted values, interpolated linearly between neighbours.
double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

std::vector<std::uint32_t> resample_images(std::uint64_t seed, std::int64_t resample, std::int64_t n) {
  std::vector<std::uint32_t> images;
  images.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i)
    images.push_back(uniform_below(draw(seed, Draw::bootstrap, 0, 0, static_cast<std::uint32_t>(resample),
                                        static_cast<std::uint32_t>(i)),
                                   static_cast<std::uint32_t>(n)));
  return images;
}

std::vector<Interval> bootstrap95(const Predictions& predictions, const BootstrapSpec& spec,
                                  const std::function<std::vector<double>(const Predictions&)>& values) {
  if (spec.resamples < 1)
    fail(ErrorKind::usage, "bootstrap: ", spec.resamples, " resamples, expected at least 1");
  std::vector<std::vector<double>> of_resample(static_cast<std::size_t>(spec.resamples));
  std::exception_ptr failed;
  // Every resample by itself: the order in which threads take them changes nothing.
#pragma omp parallel for schedule(dynamic, 16) num_threads(spec.threads)
  for (std::int64_t b = 0; b < spec.resamples; ++b) {
    try {
      of_resample[static_cast<std::size_t>(b)] =
          values(predictions.pick(resample_images(spec.seed, b, predictions.images())));
    } catch (...) {
#pragma omp critical
      failed = std::current_exception();
    }
  }
  if (failed) std::rethrow_exception(failed);
  std::vector<Interval> intervals;
  for (std::size_t v = 0; v < of_resample.front().size(); ++v) {
    std::vector<double> sorted;
    for (const std::vector<double>& all : of_resample)
      if (std::isfinite(all[v])) sorted.push_back(all[v]);
    std::sort(sorted.begin(), sorted.end());
    intervals.push_back({quantile(sorted, 0.025), quantile(sorted, 0.975)});
  }
  return intervals;
}

}  // namespace inocula::attacks
