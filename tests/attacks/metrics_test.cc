// Scores against hand-computed cases, known values and brute force.
#include "attacks/scores/metrics.h"

#include <cmath>
#include <random>

#include "attacks/evaluate.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using attacks::Interval;
using Labels = std::vector<std::int32_t>;

/// Share of pairs of a positive and a negative that are in the right order, ties counted half.
double brute_force_auc(const std::vector<double>& score, const std::vector<bool>& positive) {
  double good = 0, pairs = 0;
  for (std::size_t i = 0; i < score.size(); ++i)
    for (std::size_t j = 0; j < score.size(); ++j) {
      if (!positive[i] || positive[j]) continue;
      pairs += 1;
      good += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
    }
  return good / pairs;
}

attacks::Scores score(const std::vector<float>& logits, const Labels& label, std::int64_t classes) {
  return attacks::score(attacks::Predictions(logits, label, classes));
}

/// Logits whose softmax is (1 - p, p) in each row.
std::vector<float> logits_of(const std::vector<double>& p) {
  std::vector<float> z;
  for (const double q : p) {
    z.push_back(0);
    z.push_back(static_cast<float>(std::log(q / (1 - q))));
  }
  return z;
}

}  // namespace

TEST_CASE("metrics: Wilson's interval") {
  struct Known {
    std::int64_t hits, n;
    double low, high;
  };
  // From the closed formula with z = 1.959963984540054, evaluated in 30 decimal digits.
  for (const Known& k :
       {Known{0, 10, 0.0, 0.277532799862889}, Known{10, 10, 0.722467200137111, 1.0},
        Known{5, 10, 0.236593090512564, 0.763406909487436},
        Known{81, 263, 0.255288519878274, 0.366209576982800},
        Known{15, 148, 0.062386399530736, 0.160487241723308}, Known{1, 1, 0.206549314377237, 1.0}}) {
    CAPTURE(k.hits);
    CAPTURE(k.n);
    const Interval i = attacks::wilson95(k.hits, k.n);
    CHECK(i.low == doctest::Approx(k.low).epsilon(1e-9));
    CHECK(i.high == doctest::Approx(k.high).epsilon(1e-9));
    CHECK(i.low >= 0);
    CHECK(i.high <= 1);
  }
  CHECK(attacks::wilson95(0, 0).low == 0);
  CHECK(attacks::wilson95(0, 0).high == 1);
}

TEST_CASE("metrics: the interval of every count is the set of rates that would not be rejected") {
  // Its definition: |p - rate| = z sqrt(rate (1 - rate) / n) at both ends.
  constexpr double kZ = 1.959963984540054;
  for (const std::int64_t n : {1, 7, 100})
    for (std::int64_t hits = 0; hits <= n; ++hits) {
      const double p = static_cast<double>(hits) / static_cast<double>(n);
      const Interval i = attacks::wilson95(hits, n);
      for (const double rate : {i.low, i.high}) {
        if (rate < 1e-12 || rate > 1 - 1e-12) continue;
        CHECK(std::abs(p - rate) ==
              doctest::Approx(kZ * std::sqrt(rate * (1 - rate) / static_cast<double>(n))).epsilon(1e-9));
      }
      CHECK(i.low <= p);
      CHECK(i.high >= p);
    }
}

TEST_CASE("metrics: the area under the ROC curve equals the brute force over pairs, ties included") {
  std::mt19937 generator(3);
  for (int turn = 0; turn < 300; ++turn) {
    const std::size_t n = 2 + generator() % 40, distinct = 1 + generator() % 20;
    std::vector<double> score;
    std::vector<bool> positive;
    for (std::size_t i = 0; i < n; ++i) {
      score.push_back(static_cast<double>(generator() % distinct) / 7);
      positive.push_back(generator() % 3 == 0);
    }
    positive[0] = true;
    positive[1] = false;
    CHECK(attacks::roc_auc(score, positive) ==
          doctest::Approx(brute_force_auc(score, positive)).epsilon(1e-12));
  }
  CHECK(attacks::roc_auc(std::vector<double>{0.1, 0.4, 0.35, 0.8}, {false, false, true, true}) == 0.75);
  CHECK(attacks::roc_auc(std::vector<double>{1, 1, 1}, {false, true, true}) == 0.5);
  CHECK(std::isnan(attacks::roc_auc(std::vector<double>{1, 2}, {true, true})));
  CHECK(std::isnan(attacks::roc_auc(std::vector<double>{1, 2}, {false, false})));
  CHECK(std::isnan(attacks::roc_auc(std::vector<double>{}, {})));
}

TEST_CASE("metrics: MedMNIST's area: column 1 of two, the mean over more, NaN where a class is missing") {
  const std::vector<double> two = {0.9, 0.1, 0.6, 0.4, 0.65, 0.35, 0.2, 0.8};
  CHECK(attacks::medmnist_auc(two, Labels{0, 0, 1, 1}, 2) == 0.75);
  const std::vector<double> three = {0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.3, 0.3,
                                     0.4, 0.5, 0.3, 0.2, 0.2, 0.5, 0.3};
  const Labels label = {0, 1, 2, 1, 0};
  double expected = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    std::vector<double> column;
    std::vector<bool> positive;
    for (std::size_t i = 0; i < 5; ++i) {
      column.push_back(three[3 * i + c]);
      positive.push_back(label[i] == static_cast<std::int32_t>(c));
    }
    expected += brute_force_auc(column, positive) / 3;
  }
  CHECK(attacks::medmnist_auc(three, label, 3) == doctest::Approx(expected).epsilon(1e-12));
  CHECK(std::isnan(attacks::medmnist_auc(three, Labels{0, 1, 1, 1, 0}, 3)));
  CHECK(std::isnan(attacks::medmnist_auc(two, Labels{1, 1, 1, 1}, 2)));
}

TEST_CASE("metrics: classes without an image are told") {
  CHECK(attacks::absent_classes(std::vector<std::int32_t>{0, 2, 0}, 4) == std::vector<std::int64_t>{1, 3});
  CHECK(attacks::absent_classes(std::vector<std::int32_t>{1, 0}, 2).empty());
}

TEST_CASE("metrics: softmax and arg max of rows") {
  const std::vector<float> z = {0, 0, 1000, 0, -1000, 0, 3, 3};
  const std::vector<double> p = attacks::softmax_rows(z, 2);
  const std::vector<double> expected = {0.5, 0.5, 1, 0, 0, 1, 0.5, 0.5};
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(p[i] == doctest::Approx(expected[i]).epsilon(1e-14));
  CHECK(attacks::argmax_rows(z, 2) == Labels{0, 0, 1, 0});
  CHECK(attacks::softmax_rows(std::vector<float>{1, 2, 3}, 3)[2] ==
        doctest::Approx(0.665240955774822).epsilon(1e-12));
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY})
    check_throws(ErrorKind::bad_data, "logits of image 1 hold", [&] {
      attacks::argmax_rows(std::vector<float>{0, 1, bad, 1}, 2);
    });
}

TEST_CASE("metrics: balanced accuracy is the mean recall of the classes that occur") {
  CHECK(attacks::balanced_accuracy(Labels{0, 0, 0, 1}, Labels{0, 0, 0, 1}, 2) == 1);
  CHECK(attacks::balanced_accuracy(Labels{0, 0, 0, 0}, Labels{0, 0, 0, 1}, 2) == 0.5);
  CHECK(attacks::balanced_accuracy(Labels{0, 1, 1, 2}, Labels{0, 0, 1, 2}, 4) ==
        doctest::Approx(2.5 / 3).epsilon(1e-12));
  CHECK(std::isnan(attacks::balanced_accuracy(Labels{}, Labels{}, 2)));
}

TEST_CASE("metrics: NLL, Brier and entropy of hand-computed cases") {
  // p = (1/4, 3/4) and (1/2, 1/2).
  const auto log3 = static_cast<float>(std::log(3.0));
  const std::vector<float> z = {0, log3, 5, 5};
  const attacks::Scores s = score(z, Labels{1, 0}, 2);
  CHECK(s.n == 2);
  CHECK(s.correct == 2);
  CHECK(s.accuracy == 1);
  CHECK(s.balanced_accuracy == 1);
  CHECK(s.nll == doctest::Approx((-std::log(0.75) - std::log(0.5)) / 2).epsilon(1e-6));
  CHECK(s.brier == doctest::Approx((2 * 0.0625 + 2 * 0.25) / 2).epsilon(1e-6));
  const double h = -(0.25 * std::log(0.25) + 0.75 * std::log(0.75));
  CHECK(s.entropy == doctest::Approx((h + std::log(2.0)) / 2).epsilon(1e-6));
  CHECK(s.auc == 1);

  // Certain and wrong: the loss is the margin itself, the Brier score its largest, 2.
  const attacks::Scores wrong = score(std::vector<float>{200, 0, 0, 200}, Labels{1, 0}, 2);
  CHECK(wrong.nll == 200);
  CHECK(wrong.brier == 2);
  CHECK(wrong.entropy < 1e-80);
  CHECK(wrong.accuracy == 0);
  CHECK(wrong.auc == 0);
}

TEST_CASE("metrics: ECE, MCE and adaptive ECE of confidences worked out by hand") {
  // Confidences 0.6 (right, wrong), 0.62 (right) and 0.97 (right, right): two of 15 equal bins are not empty.
  const attacks::Scores s = score(logits_of({0.6, 0.6, 0.62, 0.97, 0.97}), Labels{1, 0, 1, 1, 1}, 2);
  CHECK(s.ece ==
        doctest::Approx((std::fabs(1.2 - 1) + std::fabs(0.62 - 1) + std::fabs(1.94 - 2)) / 5).epsilon(1e-6));
  CHECK(s.mce == doctest::Approx(0.38).epsilon(1e-6));
  // No more bins of equal mass than distinct values; the two at 0.6 and at 0.97 stay together.
  CHECK(s.adaptive_ece == doctest::Approx((0.2 + 0.38 + 0.06) / 5).epsilon(1e-6));
}

TEST_CASE("metrics: entropy over the samples is that of each class's column, scaled to sum to 1") {
  const attacks::Scores s = score(logits_of({0.2, 0.8, 0.5}), Labels{0, 1, 1}, 2);
  double expected = 0;
  for (const std::vector<double>& column : {std::vector<double>{0.8, 0.2, 0.5}, {0.2, 0.8, 0.5}})
    for (const double p : column) expected -= p / 1.5 * std::log(p / 1.5) / 2;
  CHECK(s.entropy_over_samples == doctest::Approx(expected).epsilon(1e-6));
  // Equal answers to all images: the largest it can be.
  CHECK(score(logits_of({0.3, 0.3, 0.3, 0.3}), Labels{0, 0, 0, 1}, 2).entropy_over_samples ==
        doctest::Approx(std::log(4.0)).epsilon(1e-9));
}

TEST_CASE("metrics: predictions of some images are those images' own") {
  const std::vector<float> z = {1, 2, 3, 4, 6, 5, 0, 0, 9};
  const attacks::Predictions all(z, Labels{2, 1, 0}, 3);
  const std::uint32_t twice[] = {2, 0, 2};
  const attacks::Predictions some = all.pick(twice),
                             direct(std::vector<float>{0, 0, 9, 1, 2, 3, 0, 0, 9}, Labels{0, 2, 0}, 3);
  CHECK(some.label == direct.label);
  CHECK(some.predicted == direct.predicted);
  CHECK(some.probability == direct.probability);
  CHECK(some.nll == direct.nll);
}

TEST_CASE("metrics: quadratic weighted kappa and mean error of grades, worked out by hand") {
  const auto kappa = [](const Labels& predicted, const Labels& label) {
    return attacks::quadratic_weighted_kappa(predicted, label);
  };
  CHECK(kappa({0, 1, 2, 3}, {0, 1, 2, 3}) == 1);
  CHECK(kappa({3, 2, 1, 0}, {0, 1, 2, 3}) == doctest::Approx(-1));  // 1 - 5 / 2.5
  CHECK(kappa({1, 1, 1, 1}, {0, 1, 2, 1}) == 0);                    // an answer that knows nothing
  // Squared errors 1, 0, 0, 4 of 4; by chance means 3/4 and 6/4, mean squares 5/4 and 14/4: 19/4 - 2 * 18/16.
  CHECK(kappa({1, 0, 2, 0}, {0, 0, 2, 2}) == doctest::Approx(1 - 1.25 / ((5 + 8) / 4.0 - 2 * 3 * 4 / 16.0)));
  CHECK(std::isnan(kappa({2, 2, 2}, {2, 2, 2})));
  // A grade further off costs four times as much.
  CHECK(kappa({1, 1, 2, 2, 3, 3}, {0, 1, 2, 2, 3, 3}) > kappa({2, 1, 2, 2, 3, 3}, {0, 1, 2, 2, 3, 3}));
  CHECK(attacks::mean_absolute_error(Labels{1, 0, 2, 0}, Labels{0, 0, 2, 2}) == 0.75);
}

TEST_CASE("metrics: quadratic weighted kappa is Cohen's, by its matrices of weights") {
  std::mt19937 generator(3);
  for (const int grades : {2, 3, 5}) {
    Labels predicted, label;
    for (int i = 0; i < 200; ++i) {
      label.push_back(static_cast<std::int32_t>(generator() % static_cast<unsigned>(grades)));
      const bool off = generator() % 3 == 0;
      predicted.push_back(off ? static_cast<std::int32_t>(generator() % static_cast<unsigned>(grades))
                              : label.back());
    }
    const auto k = static_cast<std::size_t>(grades);
    std::vector<double> seen(k * k), rows(k), columns(k);
    for (std::size_t i = 0; i < label.size(); ++i) {
      const auto y = static_cast<std::size_t>(label[i]), p = static_cast<std::size_t>(predicted[i]);
      seen[y * k + p] += 1, rows[y] += 1, columns[p] += 1;
    }
    double of_seen = 0, of_chance = 0;
    for (std::size_t y = 0; y < k; ++y)
      for (std::size_t p = 0; p < k; ++p) {
        const double weight = (static_cast<double>(y) - static_cast<double>(p)) *
                              (static_cast<double>(y) - static_cast<double>(p));
        of_seen += weight * seen[y * k + p];
        of_chance += weight * rows[y] * columns[p] / 200;
      }
    CHECK(attacks::quadratic_weighted_kappa(predicted, label) ==
          doctest::Approx(1 - of_seen / of_chance).epsilon(1e-12));
  }
}

TEST_CASE("metrics: several labels an image are decisions, averaged over the labels") {
  // Three images of two labels. Label 0: there, there, not, p = 0.9, 0.2, 0.1; label 1: not, there, not, p =
  // 0.6, 0.8, 0.3.
  const std::vector<double> p = {0.9, 0.6, 0.2, 0.8, 0.1, 0.3};
  const Labels label = {1, 0, 1, 1, 0, 0};
  const attacks::Predictions all(logits_of(p), label, 2, 1, 2);
  CHECK(all.images() == 3);
  const attacks::Scores s = attacks::score(all);
  CHECK(s.n == 3);
  CHECK(s.correct == 4);
  CHECK(s.accuracy == doctest::Approx(4.0 / 6));
  CHECK(s.subset_accuracy == doctest::Approx(1.0 / 3));  // the last image alone
  CHECK(s.balanced_accuracy == doctest::Approx((0.5 * (0.5 + 1) + 0.5 * (1 + 0.5)) / 2));
  CHECK(s.auc == 1);  // each label's images are in order
  CHECK(attacks::score_label(all, 0).auc == 1);
  CHECK(attacks::score_label(all, 1).balanced_accuracy == doctest::Approx(0.75));
  double bce = 0, brier = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    bce -= std::log(label[i] == 1 ? p[i] : 1 - p[i]) / 6;
    brier += 2 * (p[i] - label[i]) * (p[i] - label[i]) / 6;
  }
  CHECK(s.nll == doctest::Approx(bce).epsilon(1e-6));
  CHECK(s.brier == doctest::Approx(brier).epsilon(1e-6));

  const std::uint32_t twice[] = {2, 0, 2};
  const attacks::Predictions some = all.pick(twice);
  CHECK(some.label == Labels{0, 0, 1, 0, 0, 0});
  CHECK(some.images() == 3);
  CHECK(std::isnan(attacks::score_label(some, 1).auc));  // no image has the label
  CHECK(std::isnan(attacks::score(some).auc));
  CHECK(all.of_label(1).label == Labels{0, 1, 0});
  check_throws(ErrorKind::usage, "4 labels of 2 classes, 3 an image", [] {
    attacks::Predictions(std::vector<float>(8), Labels{0, 1, 0, 1}, 2, 1, 3);
  });
}

TEST_CASE("metrics: sizes that do not belong together are refused") {
  check_throws(ErrorKind::usage, "3 logits for 2 labels of 2 classes", [] {
    score(std::vector<float>{1, 2, 3}, Labels{0, 1}, 2);
  });
  check_throws(ErrorKind::usage, "0 logits for 0 labels", [] { score(std::vector<float>{}, Labels{}, 2); });
}

TEST_CASE("metrics: robustness counts what was right before and after, over all samples") {
  attacks::Evaluation e;
  e.n = 5;
  e.classes = 2;
  e.label = {0, 0, 1, 1, 0};
  e.clean_logits = {1, 0, 1, 0, 0, 1, 1, 0, 0, 1};  // right, right, right, wrong, wrong
  e.logits = {1, 0, 0, 1, 0, 1, 0, 1, 0, 1};        // right, fooled, right, right now, wrong
  e.norms = {{.linf = 0.1, .l2 = 0.5, .l1 = 2, .l0 = 1, .highest = 1},
             {.linf = 0.2, .l2 = 0.4, .l1 = 3, .l0 = 4, .highest = 1},
             {.highest = 1},
             {.highest = 1},
             {.linf = 0.05, .l2 = 0.6, .l1 = 1, .l0 = 1, .highest = 1}};
  e.zero_gradients = {0, 2, 0, 0, 0};
  e.all_gradients = {1, 2, 2, 2, 1};
  const attacks::Robustness r = attacks::judge_robustness(e);
  CHECK(r.clean_correct == 3);
  CHECK(r.robust_correct == 2);
  CHECK(r.robust_accuracy == 0.4);
  CHECK(r.robust_accuracy_ci95.high == attacks::wilson95(2, 5).high);
  CHECK(r.success_rate == doctest::Approx(1.0 / 3).epsilon(1e-12));
  CHECK(r.largest.linf == 0.2);
  CHECK(r.largest.l2 == 0.6);
  CHECK(r.largest.l1 == 3);
  CHECK(r.largest.l0 == 4);
  CHECK(r.fooled_median.linf == 0.2);  // the second image alone is fooled
  CHECK(r.fooled_median.l0 == 4);
  CHECK(r.zero_gradient_fraction == 0.25);
  e.clean_logits = {0, 1, 0, 1, 1, 0, 1, 0, 0, 1};
  CHECK(std::isnan(attacks::judge_robustness(e).success_rate));
  CHECK(attacks::judge_robustness(e).robust_accuracy == 0);
}

}  // namespace inocula::test
