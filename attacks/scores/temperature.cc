// A search over one number.
#include "attacks/scores/temperature.h"

#include <cmath>
#include <numeric>

#include "attacks/scores/metrics.h"

namespace inocula::attacks {

namespace {

double mean_nll(std::span<const float> logits, std::span<const std::int32_t> label, std::int64_t classes,
                double temperature) {
  const Predictions p(logits, label, classes, temperature);
  return std::accumulate(p.nll.begin(), p.nll.end(), 0.0) / static_cast<double>(p.size());
}

}  // namespace

double fit_temperature(std::span<const float> logits, std::span<const std::int32_t> label,
                       std::int64_t classes) {
  // The loss is convex in 1 / T, so of one valley in ln T: golden sections close in on its floor.
  const double kGolden = (std::sqrt(5.0) - 1) / 2;
  const auto loss = [&](double log_t) { return mean_nll(logits, label, classes, std::exp(log_t)); };
  double low = -std::log(64.0), high = std::log(64.0);
  double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
  double loss_a = loss(a), loss_b = loss(b);
  while (high - low > 1e-6) {
    if (loss_a <= loss_b) {
      high = b;
      b = a, loss_b = loss_a;
      a = high - kGolden * (high - low), loss_a = loss(a);
    } else {
      low = a;
      a = b, loss_a = loss_b;
      b = low + kGolden * (high - low), loss_b = loss(b);
    }
  }
  return std::exp((low + high) / 2);
}

}  // namespace inocula::attacks
