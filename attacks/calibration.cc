// Equal-mass bins and the debiased estimator.
#include "attacks/calibration.h"

#include <algorithm>
#include <cmath>

namespace inocula::attacks {

namespace {

std::vector<double> distinct(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// Few distinct values are bins of their own; else bins of equal mass.
std::vector<double> edges_for(const std::vector<double>& values, std::int64_t bins, bool discrete) {
  if (!discrete) return equal_mass_edges(values, bins);
  std::vector<double> edges = distinct(values);
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

double debiased_squared_error(std::span<const double> p, const std::vector<bool>& y,
                              std::span<const double> edges) {
  std::vector<double> count(edges.size()), sum_p(edges.size()), sum_y(edges.size());
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto edge = std::lower_bound(edges.begin(), edges.end(), p[i]);
    const auto b = static_cast<std::size_t>(
        std::min<std::ptrdiff_t>(edge - edges.begin(), static_cast<std::ptrdiff_t>(edges.size()) - 1));
    count[b] += 1;
    sum_p[b] += p[i];
    sum_y[b] += y[i] ? 1 : 0;
  }
  double error = 0;
  for (std::size_t b = 0; b < edges.size(); ++b) {
    if (count[b] < 2) continue;
    const double mean_p = sum_p[b] / count[b], mean_y = sum_y[b] / count[b];
    error += count[b] / static_cast<double>(p.size()) *
             ((mean_p - mean_y) * (mean_p - mean_y) - mean_y * (1 - mean_y) / (count[b] - 1));
  }
  return std::max(0.0, error);
}

double rmsce_marginal(std::span<const double> probability, std::span<const std::int32_t> label,
                      std::int64_t classes, std::int64_t bins) {
  const std::vector<std::vector<double>> columns = columns_of(probability, classes);
  const bool discrete = are_discrete(columns);
  double sum = 0;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    std::vector<bool> y;
    for (const std::int32_t l : label) y.push_back(static_cast<std::size_t>(l) == c);
    sum += debiased_squared_error(columns[c], y, edges_for(columns[c], bins, discrete));
  }
  return std::sqrt(sum / static_cast<double>(classes));
}

double rmsce_top_label(std::span<const double> probability, std::span<const std::int32_t> predicted,
                       std::span<const std::int32_t> label, std::int64_t classes, std::int64_t bins) {
  std::vector<double> confidence;
  std::vector<bool> right;
  for (std::size_t i = 0; i < label.size(); ++i) {
    confidence.push_back(
        probability[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(predicted[i])]);
    right.push_back(predicted[i] == label[i]);
  }
  const bool discrete = are_discrete(columns_of(probability, classes));
  return std::sqrt(debiased_squared_error(confidence, right, edges_for(confidence, bins, discrete)));
}

}  // namespace inocula::attacks
