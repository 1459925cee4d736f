// Bins, and the errors that follow from them.
#include "attacks/scores/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace inocula::attacks {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double count_of(std::span<const ReliabilityBin> bins) {
  double n = 0;
  for (const ReliabilityBin& b : bins) n += b.count;
  return n;
}

std::vector<double> distinct(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// Few distinct values are bins of their own; else bins of equal mass. Edges midway between values, which two
/// neighbours in double precision may share.
std::vector<double> edges_for(const std::vector<double>& values, bool discrete) {
  if (!discrete) return equal_mass_edges(values, kCalibrationErrorBins);
  std::vector<double> edges = distinct(values);
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) edges[i] = (edges[i] + edges[i + 1]) / 2;
  if (!edges.empty()) edges.back() = 1.0;
  return edges;
}

/// Each class's probability by itself.
std::vector<std::vector<double>> columns_of(std::span<const double> probability, std::int64_t classes) {
  std::vector<std::vector<double>> columns(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < probability.size(); ++i) columns[i % columns.size()].push_back(probability[i]);
  return columns;
}

/// Few distinct values in every column: the package then takes the scores for discrete.
bool are_discrete(const std::vector<std::vector<double>>& columns) {
  return std::all_of(columns.begin(), columns.end(), [](const std::vector<double>& values) {
    return static_cast<double>(distinct(values).size()) < static_cast<double>(values.size()) / 4;
  });
}

}  // namespace

std::vector<double> equal_mass_edges(std::vector<double> values, std::int64_t bins) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<std::int64_t>(values.size());
  const std::int64_t runs = std::min(bins, n);
  std::vector<double> edges;
  std::int64_t end = 0;
  for (std::int64_t b = 0; b + 1 < runs; ++b) {
    end += n / runs + (b < n % runs ? 1 : 0);
    edges.push_back((values[static_cast<std::size_t>(end - 1)] + values[static_cast<std::size_t>(end)]) / 2);
  }
  edges.push_back(1.0);
  return distinct(std::move(edges));
}

std::vector<double> equal_width_edges(std::int64_t bins) {
  std::vector<double> edges;
  for (std::int64_t b = 1; b <= bins; ++b)
    edges.push_back(static_cast<double>(b) / static_cast<double>(bins));
  return edges;
}

std::vector<ReliabilityBin> reliability(std::span<const double> p, const std::vector<bool>& y,
                                        std::span<const double> edges) {
  std::vector<ReliabilityBin> bins(edges.size());
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto edge = std::lower_bound(edges.begin(), edges.end(), p[i]);
    ReliabilityBin& b = bins[static_cast<std::size_t>(
        std::min<std::ptrdiff_t>(edge - edges.begin(), static_cast<std::ptrdiff_t>(edges.size()) - 1))];
    b.count += 1;
    b.sum_p += p[i];
    b.sum_y += y[i] ? 1 : 0;
  }
  return bins;
}

double mean_gap(std::span<const ReliabilityBin> bins) {
  double sum = 0;
  for (const ReliabilityBin& b : bins) sum += std::abs(b.sum_p - b.sum_y);
  const double n = count_of(bins);
  return n > 0 ? sum / n : kNaN;
}

double largest_gap(std::span<const ReliabilityBin> bins) {
  double largest = kNaN;
  for (const ReliabilityBin& b : bins)
    if (b.count > 0) largest = std::fmax(largest, std::abs(b.sum_p - b.sum_y) / b.count);
  return largest;
}

double squared_error(std::span<const ReliabilityBin> bins, Estimator estimator) {
  const bool debiased = estimator == Estimator::debiased;
  const double n = count_of(bins);
  double error = 0;
  for (const ReliabilityBin& b : bins) {
    if (b.count < (debiased ? 2 : 1)) continue;
    const double mean_p = b.sum_p / b.count, mean_y = b.sum_y / b.count;
    const double chance = debiased ? mean_y * (1 - mean_y) / (b.count - 1) : 0;
    error += b.count / n * ((mean_p - mean_y) * (mean_p - mean_y) - chance);
  }
  return std::max(0.0, error);
}

double rmsce_marginal(std::span<const double> probability, std::span<const std::int32_t> label,
                      std::int64_t classes, Estimator estimator) {
  const std::vector<std::vector<double>> columns = columns_of(probability, classes);
  const bool discrete = are_discrete(columns);
  double sum = 0;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    std::vector<bool> y;
    for (const std::int32_t l : label) y.push_back(static_cast<std::size_t>(l) == c);
    sum += squared_error(reliability(columns[c], y, edges_for(columns[c], discrete)), estimator);
  }
  return std::sqrt(sum / static_cast<double>(classes));
}

double rmsce_top_label(std::span<const double> probability, std::span<const std::int32_t> predicted,
                       std::span<const std::int32_t> label, std::int64_t classes, Estimator estimator) {
  std::vector<double> confidence;
  std::vector<bool> right;
  for (std::size_t i = 0; i < label.size(); ++i) {
    confidence.push_back(
        probability[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(predicted[i])]);
    right.push_back(predicted[i] == label[i]);
  }
  const bool discrete = are_discrete(columns_of(probability, classes));
  return std::sqrt(squared_error(reliability(confidence, right, edges_for(confidence, discrete)), estimator));
}

}  // namespace inocula::attacks
