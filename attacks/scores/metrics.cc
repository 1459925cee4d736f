// Scores from logits.
#include "attacks/scores/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/error.h"

namespace inocula::attacks {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kZ95 = 1.959963984540054;  // 97.5 % quantile of the standard normal

/// Of row / temperature.
double log_sum_exp(std::span<const float> row, double temperature) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float z : row) sum += std::exp((static_cast<double>(z) - top) / temperature);
  return top / temperature + std::log(sum);
}

double p_log_p(double p) {
  return p > 0 ? p * std::log(p) : 0;
}

}  // namespace

Interval wilson95(std::int64_t hits, std::int64_t n) {
  return n == 0 ? Interval{} : wilson95_of_mean(static_cast<double>(hits) / static_cast<double>(n), n);
}

Interval wilson95_of_mean(double p, std::int64_t n) {
  const double m = static_cast<double>(n);
  const double z2 = kZ95 * kZ95;
  const double centre = (p + z2 / (2 * m)) / (1 + z2 / m);
  const double half = kZ95 * std::sqrt(p * (1 - p) / m + z2 / (4 * m * m)) / (1 + z2 / m);
  // At the ends rounding would leave a trace of what is exactly 0 or 1.
  return {p == 0 ? 0.0 : centre - half, p == 1 ? 1.0 : centre + half};
}

double roc_auc(std::span<const double> score, const std::vector<bool>& positive) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score[a] < score[b]; });
  double rank_sum = 0, positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double among = 0;
    for (; end < order.size() && score[order[end]] == score[order[begin]]; ++end)
      among += positive[order[end]] ? 1 : 0;
    rank_sum += among * (static_cast<double>(begin + 1 + end) / 2);  // average rank, counted from 1
    positives += among;
    begin = end;
  }
  const double negatives = static_cast<double>(score.size()) - positives;
  if (positives == 0 || negatives == 0) return kNaN;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

std::vector<double> softmax_rows(std::span<const float> logits, std::int64_t classes, double temperature) {
  const auto k = static_cast<std::size_t>(classes);
  std::vector<double> p(logits.size());
  for (std::size_t row = 0; row + k <= logits.size(); row += k) {
    const double log_sum = log_sum_exp(logits.subspan(row, k), temperature);
    for (std::size_t j = 0; j < k; ++j)
      p[row + j] = std::min(1.0, std::exp(static_cast<double>(logits[row + j]) / temperature - log_sum));
  }
  return p;
}

std::vector<std::int32_t> argmax_rows(std::span<const float> logits, std::int64_t classes) {
  const auto k = static_cast<std::size_t>(classes);
  const auto bad = std::find_if(logits.begin(), logits.end(), [](float z) { return !std::isfinite(z); });
  if (bad != logits.end())
    fail(ErrorKind::bad_data, "the network's logits of image ", (bad - logits.begin()) / classes, " hold ",
         *bad, ", expected finite numbers");
  std::vector<std::int32_t> best;
  for (std::size_t row = 0; row + k <= logits.size(); row += k) {
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row);
    best.push_back(static_cast<std::int32_t>(std::max_element(begin, begin + classes) - begin));
  }
  return best;
}

double balanced_accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> label,
                         std::int64_t classes) {
  std::vector<double> hits(static_cast<std::size_t>(classes)), all(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < label.size(); ++i) {
    all[static_cast<std::size_t>(label[i])] += 1;
    hits[static_cast<std::size_t>(label[i])] += predicted[i] == label[i] ? 1 : 0;
  }
  double sum = 0, present = 0;
  for (std::size_t c = 0; c < all.size(); ++c) {
    if (all[c] == 0) continue;
    sum += hits[c] / all[c];
    present += 1;
  }
  return present > 0 ? sum / present : kNaN;
}

std::vector<std::int64_t> absent_classes(std::span<const std::int32_t> label, std::int64_t classes) {
  std::vector<std::int64_t> absent;
  for (std::int64_t c = 0; c < classes; ++c)
    if (std::find(label.begin(), label.end(), c) == label.end()) absent.push_back(c);
  return absent;
}

double medmnist_auc(std::span<const double> probability, std::span<const std::int32_t> label,
                    std::int64_t classes) {
  double sum = 0;
  const std::int64_t first = classes == 2 ? 1 : 0;
  std::vector<double> column(label.size());
  std::vector<bool> positive(label.size());
  for (std::int64_t c = first; c < classes; ++c) {
    for (std::size_t i = 0; i < label.size(); ++i) {
      column[i] = probability[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(c)];
      positive[i] = label[i] == c;
    }
    sum += roc_auc(column, positive);  // NaN stays NaN: never silently skipped
  }
  return sum / static_cast<double>(classes - first);
}

double quadratic_weighted_kappa(std::span<const std::int32_t> predicted,
                                std::span<const std::int32_t> label) {
  const double n = static_cast<double>(label.size());
  double error = 0, sum_p = 0, sum_y = 0, squares = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const double p = predicted[i], y = label[i];
    error += (p - y) * (p - y) / n;
    sum_p += p;
    sum_y += y;
    squares += p * p + y * y;
  }
  // The mean of (p - y)^2 over all pairs of an answer and a label; whole numbers until it is divided.
  const double by_chance = (n * squares - 2 * sum_p * sum_y) / (n * n);
  return by_chance > 0 ? 1 - error / by_chance : kNaN;
}

double mean_absolute_error(std::span<const std::int32_t> predicted, std::span<const std::int32_t> label) {
  double sum = 0;
  for (std::size_t i = 0; i < label.size(); ++i) sum += std::abs(predicted[i] - label[i]);
  return sum / static_cast<double>(label.size());
}

Predictions::Predictions(std::span<const float> logits, std::span<const std::int32_t> labels,
                         std::int64_t class_count, double temperature, std::int64_t column_count)
    : classes(class_count), columns(column_count), label(labels.begin(), labels.end()) {
  const auto k = static_cast<std::size_t>(classes);
  if (label.empty() || logits.size() != label.size() * k)
    fail(ErrorKind::usage, "score: ", logits.size(), " logits for ", label.size(), " labels of ", classes,
         " classes");
  if (columns < 1 || label.size() % static_cast<std::size_t>(columns) != 0 || (columns > 1 && classes != 2))
    fail(ErrorKind::usage, "score: ", label.size(), " labels of ", classes, " classes, ", columns,
         " an image");
  predicted = argmax_rows(logits, classes);
  probability = softmax_rows(logits, classes, temperature);
  for (std::size_t i = 0; i < label.size(); ++i)
    nll.push_back(log_sum_exp(logits.subspan(i * k, k), temperature) -
                  static_cast<double>(logits[i * k + static_cast<std::size_t>(label[i])]) / temperature);
}

Predictions Predictions::pick(std::span<const std::uint32_t> images) const {
  Predictions p;
  p.classes = classes;
  p.columns = columns;
  const auto of_image = static_cast<std::size_t>(columns);
  for (const std::uint32_t i : images)
    for (std::size_t j = 0; j < of_image; ++j) append(i * of_image + j, p);
  return p;
}

Predictions Predictions::of_label(std::int64_t column) const {
  Predictions p;
  p.classes = classes;
  for (auto row = static_cast<std::size_t>(column); row < size(); row += static_cast<std::size_t>(columns))
    append(row, p);
  return p;
}

void Predictions::append(std::size_t row, Predictions& to) const {
  to.label.push_back(label[row]);
  to.predicted.push_back(predicted[row]);
  to.nll.push_back(nll[row]);
  const auto first = probability.begin() + static_cast<std::ptrdiff_t>(row) * classes;
  to.probability.insert(to.probability.end(), first, first + classes);
}

std::vector<double> Predictions::confidence() const {
  std::vector<double> top;
  for (std::size_t i = 0; i < size(); ++i)
    top.push_back(
        probability[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(predicted[i])]);
  return top;
}

std::vector<bool> Predictions::right() const {
  std::vector<bool> hits;
  for (std::size_t i = 0; i < size(); ++i) hits.push_back(predicted[i] == label[i]);
  return hits;
}

double subset_accuracy(const std::vector<bool>& right, std::int64_t columns) {
  const auto k = static_cast<std::ptrdiff_t>(columns);
  double hits = 0, images = 0;
  for (auto image = right.begin(); image != right.end(); image += k) {
    hits += std::all_of(image, image + k, [](bool b) { return b; }) ? 1 : 0;
    images += 1;
  }
  return hits / images;
}

LabelScores score_label(const Predictions& of, std::int64_t column) {
  if (of.columns == 1)
    return {balanced_accuracy(of.predicted, of.label, of.classes),
            medmnist_auc(of.probability, of.label, of.classes)};
  const Predictions label = of.of_label(column);
  return {balanced_accuracy(label.predicted, label.label, 2),
          medmnist_auc(label.probability, label.label, 2)};
}

std::vector<ReliabilityBin> confidence_bins(const Predictions& of) {
  return reliability(of.confidence(), of.right(), equal_width_edges(kCalibrationErrorBins));
}

Scores score(const Predictions& of) {
  const auto k = static_cast<std::size_t>(of.classes);
  Scores s;
  s.n = of.images();
  const double n = static_cast<double>(of.size());
  const std::vector<double> confidence = of.confidence();
  const std::vector<bool> right = of.right();
  std::vector<double> column_sum(k);
  for (std::size_t i = 0; i < of.size(); ++i) {
    const auto y = static_cast<std::size_t>(of.label[i]);
    s.correct += right[i] ? 1 : 0;
    s.nll += of.nll[i] / n;
    for (std::size_t j = 0; j < k; ++j) {
      const double q = of.probability[i * k + j], d = q - (j == y ? 1 : 0);
      s.brier += d * d / n;
      s.entropy -= p_log_p(q) / n;
      column_sum[j] += q;
    }
  }
  for (std::size_t i = 0; i < of.probability.size(); ++i)
    if (const double sum = column_sum[i % k]; sum > 0)
      s.entropy_over_samples -= p_log_p(of.probability[i] / sum) / static_cast<double>(of.classes);
  s.accuracy = static_cast<double>(s.correct) / n;
  s.subset_accuracy = subset_accuracy(right, of.columns);
  for (std::int64_t j = 0; j < of.columns; ++j) {
    const LabelScores label = score_label(of, j);
    s.balanced_accuracy += label.balanced_accuracy / static_cast<double>(of.columns);
    s.auc += label.auc / static_cast<double>(of.columns);  // NaN stays NaN
  }
  s.quadratic_weighted_kappa = quadratic_weighted_kappa(of.predicted, of.label);
  s.mean_absolute_error = mean_absolute_error(of.predicted, of.label);
  const std::vector<ReliabilityBin> bins = confidence_bins(of);
  s.ece = mean_gap(bins);
  s.mce = largest_gap(bins);
  s.adaptive_ece =
      mean_gap(reliability(confidence, right, equal_mass_edges(confidence, kCalibrationErrorBins)));
  s.rmsce = rmsce_marginal(of.probability, of.label, of.classes);
  s.rmsce_plug_in = rmsce_marginal(of.probability, of.label, of.classes, Estimator::plug_in);
  s.rmsce_top_label = rmsce_top_label(of.probability, of.predicted, of.label, of.classes);
  s.rmsce_top_label_plug_in =
      rmsce_top_label(of.probability, of.predicted, of.label, of.classes, Estimator::plug_in);
  return s;
}

}  // namespace inocula::attacks
