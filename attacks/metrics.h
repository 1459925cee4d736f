// Scores of a classifier from its logits: plain formulas in double, on the host.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/calibrate.h"

namespace inocula::attacks {

struct Interval {
  double low = 0, high = 1;
};

/// Wilson's 95 % score interval for `hits` of `n` (Wilson, JASA 1927); [0, 1] for n = 0.
Interval wilson95(std::int64_t hits, std::int64_t n);

/// Area under the ROC curve by average ranks (Mann and Whitney), ties counted half; NaN where one side is
/// empty.
double roc_auc(std::span<const double> score, const std::vector<bool>& positive);

/// Softmax of each row in double: (n, classes) row-major. Each probability is at most 1.
std::vector<double> softmax_rows(std::span<const float> logits, std::int64_t classes);

/// Arg max of each row, the lowest index among equals. Throws Error (bad_data) where a logit is not finite:
/// no class follows from it, and none may be counted as right.
std::vector<std::int32_t> argmax_rows(std::span<const float> logits, std::int64_t classes);

/// Mean recall over the classes that occur in `label`.
double balanced_accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> label,
                         std::int64_t classes);

/// MedMNIST's: two classes: of column 1; more: the unweighted mean of one-versus-rest areas. NaN where a
/// class has no example or no counterexample.
double medmnist_auc(std::span<const double> probability, std::span<const std::int32_t> label,
                    std::int64_t classes);

/// Classes without an image, in rising order: where there are any, the AUC is undefined.
std::vector<std::int64_t> absent_classes(std::span<const std::int32_t> label, std::int64_t classes);

/// Expected calibration error: sum over bins of count / n |accuracy - mean confidence| (Guo et al., ICML
/// 2017).
double expected_calibration_error(std::span<const CalibrationBin> bins);

/// What evaluation reports of one set of logits.
struct Scores {
  std::int64_t n = 0;
  std::int64_t correct = 0;
  double accuracy = 0;
  Interval accuracy_ci95;
  double balanced_accuracy = 0;
  double auc = 0;
  double nll = 0;              ///< mean -ln softmax_label, from logits
  double brier = 0;            ///< mean over samples of sum over classes of (p - [label])^2, in [0, 2]
  double entropy = 0;          ///< mean over samples of -sum p ln p, nats
  double ece = 0;              ///< 15 bins of equal width on the top-label confidence
  double rmsce = 0;            ///< debiased, marginal (attacks/calibration.h)
  double rmsce_top_label = 0;  ///< debiased, top label
};

/// Throws Error (usage) where the sizes do not belong together or there is no sample.
Scores score(std::span<const float> logits, std::span<const std::int32_t> label, std::int64_t classes,
             std::span<const CalibrationBin> bins);

}  // namespace inocula::attacks
