// Scores of a classifier from its logits: plain formulas in double, on the host.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "attacks/scores/calibration.h"

namespace inocula::attacks {

struct Interval {
  double low = 0, high = 1;
};

/// Wilson's 95 % score interval for `hits` of `n` (Wilson, JASA 1927); [0, 1] for n = 0.
Interval wilson95(std::int64_t hits, std::int64_t n);
/// The same for the mean of n independent numbers in [0, 1], such as the shares of an image's labels that are
/// right: their variance is at most that of as many hits and misses, so that the interval is rather too wide.
Interval wilson95_of_mean(double mean, std::int64_t n);

/// Area under the ROC curve by average ranks (Mann and Whitney), ties counted half; NaN where one side is
/// empty.
double roc_auc(std::span<const double> score, const std::vector<bool>& positive);

/// Softmax of each row of logits / temperature, in double: (n, classes) row-major. Each probability is at
/// most 1.
std::vector<double> softmax_rows(std::span<const float> logits, std::int64_t classes, double temperature = 1);

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

/// Cohen's weighted kappa with the weights (i - j)^2, of classes that are grades: 1 less the mean squared
/// error over what it would be were answers and labels independent ("Weighted kappa", Psychological Bulletin
/// 1968); 1 where all agree, 0 at chance, NaN where labels and answers are all of one grade.
double quadratic_weighted_kappa(std::span<const std::int32_t> predicted, std::span<const std::int32_t> label);

/// Mean of |answer - label|, in grades.
double mean_absolute_error(std::span<const std::int32_t> predicted, std::span<const std::int32_t> label);

/// A network's answers to labelled images, as scores need them. Where images have several labels, each of
/// them is a decision, a row of its own between two classes with logits (0, z): its softmax is the sigmoid,
/// its nll the binary cross-entropy.
struct Predictions {
  std::int64_t classes = 0;
  std::int64_t columns = 1;  ///< decisions of an image
  std::vector<std::int32_t> label, predicted;
  std::vector<double> probability;  ///< (rows, classes)
  std::vector<double> nll;          ///< of each row: -ln softmax_label, from logits

  /// Of logits / temperature (attacks/scores/temperature.h); `predicted` is that of the logits as they are.
  /// Throws Error: usage where the sizes do not belong together or there is no image; bad_data where a logit
  /// is not finite.
  Predictions(std::span<const float> logits, std::span<const std::int32_t> label, std::int64_t classes,
              double temperature = 1, std::int64_t columns = 1);

  std::size_t size() const { return label.size(); }  ///< rows
  std::int64_t images() const { return static_cast<std::int64_t>(size()) / columns; }
  std::vector<double> confidence() const;  ///< probability of the predicted class
  std::vector<bool> right() const;
  /// Those of some images, one given twice taken twice.
  Predictions pick(std::span<const std::uint32_t> images) const;
  /// One label's decisions alone.
  Predictions of_label(std::int64_t column) const;

 private:
  Predictions() = default;
  void append(std::size_t row, Predictions& to) const;
};

/// The reliability diagram: confidence against being right, in bins of equal width.
std::vector<ReliabilityBin> confidence_bins(const Predictions& predictions);

/// Share of the images that are right in all their decisions; `right` is (n, columns).
double subset_accuracy(const std::vector<bool>& right, std::int64_t columns);

/// Of one label's decisions, or of the classes where an image has one label.
struct LabelScores {
  double balanced_accuracy = 0;
  double auc = 0;  ///< NaN where one side has no image
};
LabelScores score_label(const Predictions& predictions, std::int64_t column);

/// What evaluation reports of a set of predictions. Of several labels an image, samples are all decisions:
/// accuracy is their share that is right (the mean over the labels), nll the mean binary cross-entropy, and
/// brier, entropy and calibration are those of the two classes of a decision, all labels taken together.
struct Scores {
  std::int64_t n = 0;        ///< images
  std::int64_t correct = 0;  ///< samples
  double accuracy = 0;
  double subset_accuracy = 0;    ///< share of the images that are right in all their labels
  double balanced_accuracy = 0;  ///< of several labels the mean over them
  double auc = 0;                ///< of several labels the mean over them, NaN where one has none
  double quadratic_weighted_kappa = 0, mean_absolute_error = 0;  ///< of classes that are grades
  double nll = 0;
  double brier = 0;    ///< mean over samples of sum over classes of (p - [label])^2, in [0, 2]
  double entropy = 0;  ///< mean over samples of -sum over classes of p ln p, nats
  /// Mean over classes of the entropy of that class's probabilities over the *samples*, scaled to sum to 1:
  /// -sum over samples of q ln q, at most ln n, nats. Not an uncertainty of any prediction; some published
  /// "output entropies" fit it and nothing else.
  double entropy_over_samples = 0;
  double ece = 0;           ///< expected calibration error: the top label, 15 bins of equal width
  double mce = 0;           ///< maximum calibration error: of the same bins
  double adaptive_ece = 0;  ///< of 15 bins of equal mass
  double rmsce = 0;         ///< marginal, debiased (attacks/scores/calibration.h)
  double rmsce_top_label = 0;
  double rmsce_plug_in = 0;
  double rmsce_top_label_plug_in = 0;
};
Scores score(const Predictions& predictions);

}  // namespace inocula::attacks
