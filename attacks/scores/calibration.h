// How far confidence is from accuracy, bin by bin: calibration errors and what they are made of.
//
// ECE and MCE after Guo et al., "On calibration of modern neural networks", ICML 2017; RMSCE after Kumar,
// Liang, Ma, "Verified uncertainty calibration", NeurIPS 2019, with the conventions of the authors' package
// uncertainty-calibration: 15 bins of equal mass, p = 2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace inocula::attacks {

/// Upper edges of bins of equal mass: the sorted values are cut into `bins` runs whose lengths differ by at
/// most one (longer ones first), edges lie midway between neighbouring runs, the last is 1, duplicates are
/// dropped.
std::vector<double> equal_mass_edges(std::vector<double> values, std::int64_t bins);

/// Upper edges of `bins` bins of equal width on [0, 1].
std::vector<double> equal_width_edges(std::int64_t bins);

/// One bin of a binary problem.
struct ReliabilityBin {
  double count = 0;
  double sum_p = 0;  ///< of the probabilities
  double sum_y = 0;  ///< how often it came true
};

/// Each p in the bin of its edges. A value equal to an edge belongs to the bin below it.
std::vector<ReliabilityBin> reliability(std::span<const double> p, const std::vector<bool>& y,
                                        std::span<const double> edges);

/// sum over bins of (n_b / n) |mean p - mean y|; NaN where there is no sample.
double mean_gap(std::span<const ReliabilityBin> bins);
/// Largest |mean p - mean y| of a bin that is not empty; NaN where there is none.
double largest_gap(std::span<const ReliabilityBin> bins);

/// How a squared calibration error is estimated: plainly, or without what chance adds to every bin.
enum class Estimator { plug_in, debiased };

/// Plug-in: sum over bins of (n_b / n) (mean p - mean y)^2. Debiased: mean y (1 - mean y) / (n_b - 1) is
/// taken off each square, bins of one sample are left out, and the sum is at least 0.
double squared_error(std::span<const ReliabilityBin> bins, Estimator estimator);

/// sqrt of the mean over classes of the squared error of that class's probability. Where no class has n / 4
/// distinct values, each distinct value is a bin of its own (but those that no edge fits between), as in the
/// package.
double rmsce_marginal(std::span<const double> probability, std::span<const std::int32_t> label,
                      std::int64_t classes, Estimator estimator = Estimator::debiased);

/// The same for the confidence in the predicted class against being right; whether each distinct value is a
/// bin of its own is decided by the classes' probabilities here too.
double rmsce_top_label(std::span<const double> probability, std::span<const std::int32_t> predicted,
                       std::span<const std::int32_t> label, std::int64_t classes,
                       Estimator estimator = Estimator::debiased);

/// Bins of every calibration error.
inline constexpr std::int64_t kCalibrationErrorBins = 15;

}  // namespace inocula::attacks
