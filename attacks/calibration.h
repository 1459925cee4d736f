// Root mean squared calibration error as Kumar et al. estimate it.
//
// Kumar, Liang, Ma, "Verified uncertainty calibration", NeurIPS 2019, and the conventions of the authors'
// package uncertainty-calibration: 15 bins of equal mass, p = 2, debiased.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace inocula::attacks {

/// Upper edges of bins of equal mass: the sorted values are cut into `bins` runs whose lengths differ by at
/// most one (longer ones first), edges lie midway between neighbouring runs, the last is 1, duplicates are
/// dropped.
std::vector<double> equal_mass_edges(std::vector<double> values, std::int64_t bins);

/// Debiased squared calibration error of a binary problem: sum over bins of
/// (n_b / n) [(mean p - mean y)^2 - mean y (1 - mean y) / (n_b - 1)], bins of one sample left out, at least
/// 0. A value equal to an edge belongs to the bin below it.
double debiased_squared_error(std::span<const double> p, const std::vector<bool>& y,
                              std::span<const double> edges);

/// sqrt of the mean over classes of the debiased squared error of that class's probability. Where no class
/// has n / 4 distinct values, each distinct value is a bin of its own, as in the package.
double rmsce_marginal(std::span<const double> probability, std::span<const std::int32_t> label,
                      std::int64_t classes, std::int64_t bins = 15);

/// The same for the confidence in the predicted class against being right; whether each distinct value is a
/// bin of its own is decided by the classes' probabilities here too.
double rmsce_top_label(std::span<const double> probability, std::span<const std::int32_t> predicted,
                       std::span<const std::int32_t> label, std::int64_t classes, std::int64_t bins = 15);

}  // namespace inocula::attacks
