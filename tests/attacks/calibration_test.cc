// Calibration errors of equal-mass bins, on cases worked out by hand and against second writings of the
// formulas, one of them stored.
#include "attacks/scores/calibration.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "tests/attacks/rmsce_values.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using Doubles = std::vector<double>;
using Labels = std::vector<std::int32_t>;

/// The estimator over groups of samples that share a bin.
double debiased(const std::map<std::size_t, std::vector<std::size_t>>& groups, const Doubles& p,
                const std::vector<bool>& y) {
  double sum = 0;
  for (const auto& [bin, members] : groups) {
    const double n = static_cast<double>(members.size());
    if (n < 2) continue;
    double mean_p = 0, mean_y = 0;
    for (const std::size_t i : members) {
      mean_p += p[i] / n;
      mean_y += y[i] ? 1 / n : 0;
    }
    sum +=
        n / static_cast<double>(p.size()) * (std::pow(mean_p - mean_y, 2) - mean_y * (1 - mean_y) / (n - 1));
  }
  return std::max(sum, 0.0);
}

/// Distinct values in equal-mass bins: the sorted ranks cut as numpy.array_split cuts them.
double by_rank(const Doubles& p, const std::vector<bool>& y, std::size_t bins) {
  std::vector<std::size_t> order(p.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::map<std::size_t, std::vector<std::size_t>> groups;
  const std::size_t longer = p.size() % bins, size = p.size() / bins;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const std::size_t in_longer = longer * (size + 1);
    groups[rank < in_longer ? rank / (size + 1) : longer + (rank - in_longer) / size].push_back(order[rank]);
  }
  return debiased(groups, p, y);
}

double debiased_squared_error(const Doubles& p, const std::vector<bool>& y, const Doubles& edges) {
  return attacks::squared_error(attacks::reliability(p, y, edges), attacks::Estimator::debiased);
}

}  // namespace

TEST_CASE("calibration: edges of equal mass lie midway between runs") {
  CHECK(attacks::equal_mass_edges({0.1, 0.3, 0.2, 0.6, 0.5}, 2) == Doubles{(0.3 + 0.5) / 2, 1});  // 3 and 2
  CHECK(attacks::equal_mass_edges({0.4, 0.2}, 1) == Doubles{1});
  CHECK(attacks::equal_mass_edges({0.4, 0.2}, 15) ==
        Doubles{(0.2 + 0.4) / 2, 1});                                            // no more bins than values
  CHECK(attacks::equal_mass_edges({0.5, 0.5, 0.5, 0.5}, 4) == Doubles{0.5, 1});  // duplicates are dropped
  CHECK(attacks::equal_mass_edges({1, 1, 1}, 3) == Doubles{1});
}

TEST_CASE("calibration: the debiased squared error of cases worked out by hand") {
  const Doubles one_bin = {1};
  // mean p 0.5, mean y 0.75: (1/16) - (3/16) / 3 = 0.
  CHECK(debiased_squared_error(Doubles{0.5, 0.5, 0.5, 0.5}, {true, true, true, false}, one_bin) == 0);
  // mean p 0.1, mean y 0.75: 0.4225 - 0.0625.
  CHECK(debiased_squared_error(Doubles{0.1, 0.1, 0.1, 0.1}, {true, true, true, false}, one_bin) ==
        doctest::Approx(0.36).epsilon(1e-12));
  // Calibrated, with chance's share taken off: never below 0.
  CHECK(debiased_squared_error(Doubles{0.5, 0.5}, {true, false}, one_bin) == 0);
  // Two bins, one of a single sample, which is left out: 2/3 of 0.04.
  CHECK(debiased_squared_error(Doubles{0.2, 0.2, 0.9}, {false, false, false}, Doubles{0.5, 1}) ==
        doctest::Approx(2.0 / 3 * 0.04).epsilon(1e-12));
  // On an edge the lower bin is meant: all three are in the first.
  CHECK(debiased_squared_error(Doubles{0.5, 0.5, 0.2}, {false, false, false}, Doubles{0.5, 1}) ==
        doctest::Approx(0.16).epsilon(1e-12));
}

TEST_CASE("calibration: equal-mass bins by edges are those by rank") {
  std::mt19937 generator(4);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int turn = 0; turn < 200; ++turn) {
    const std::size_t n = 20 + generator() % 100;
    Doubles p;
    std::vector<bool> y;
    for (std::size_t i = 0; i < n; ++i) {
      p.push_back(uniform(generator));
      y.push_back(uniform(generator) < 0.3 + 0.3 * p.back());
    }
    CHECK(debiased_squared_error(p, y, attacks::equal_mass_edges(p, 15)) ==
          doctest::Approx(by_rank(p, y, 15)).epsilon(1e-9));
  }
}

TEST_CASE("calibration: RMSCE over the classes and of the top label") {
  // Few distinct values: each is a bin of its own. Class 1 at 0.8 is right in half of 8 cases, class 0 at 0.2
  // likewise.
  Doubles probability;
  Labels label, predicted;
  for (int i = 0; i < 8; ++i) {
    probability.insert(probability.end(), {0.2, 0.8});
    label.push_back(i % 2);
    predicted.push_back(1);
  }
  const double square = 0.09 - 0.25 / 7;
  CHECK(attacks::rmsce_marginal(probability, label, 2) == doctest::Approx(std::sqrt(square)).epsilon(1e-12));
  CHECK(attacks::rmsce_top_label(probability, predicted, label, 2) ==
        doctest::Approx(std::sqrt(square)).epsilon(1e-12));

  // Three classes with many values: the mean over the columns, each by rank.
  std::mt19937 generator(9);
  std::uniform_real_distribution<double> uniform(0.1, 1);
  Doubles three, confidence;
  Labels labels, tops;
  std::vector<bool> right;
  constexpr std::size_t kSamples = 90;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const double a = uniform(generator), b = uniform(generator), c = uniform(generator);
    three.insert(three.end(), {a / (a + b + c), b / (a + b + c), c / (a + b + c)});
    labels.push_back(static_cast<std::int32_t>(generator() % 3));
    const auto row = three.end() - 3;
    tops.push_back(static_cast<std::int32_t>(std::max_element(row, three.end()) - row));
    confidence.push_back(*std::max_element(row, three.end()));
    right.push_back(tops.back() == labels.back());
  }
  double sum = 0;
  for (std::size_t k = 0; k < 3; ++k) {
    Doubles column;
    std::vector<bool> y;
    for (std::size_t i = 0; i < kSamples; ++i) {
      column.push_back(three[3 * i + k]);
      y.push_back(labels[i] == static_cast<std::int32_t>(k));
    }
    sum += by_rank(column, y, 15);
  }
  CHECK(sum > 0);
  CHECK(attacks::rmsce_marginal(three, labels, 3) == doctest::Approx(std::sqrt(sum / 3)).epsilon(1e-9));
  CHECK(attacks::rmsce_top_label(three, tops, labels, 3) ==
        doctest::Approx(std::sqrt(by_rank(confidence, right, 15))).epsilon(1e-9));
}

TEST_CASE("calibration: RMSCE is that of a second writing after the authors' package") {
  for (const RmsceValues& stored : kRmsceValues) {
    INFO(std::string(stored.name));
    const Doubles& p = stored.probability;
    Labels predicted;
    for (auto row = p.begin(); row != p.end(); row += stored.classes)
      predicted.push_back(static_cast<std::int32_t>(std::max_element(row, row + stored.classes) - row));
    REQUIRE(predicted.size() == stored.label.size());
    const auto near = [](double found, double expected) { return std::abs(found - expected) < 1e-9; };
    using attacks::Estimator;
    CHECK(near(attacks::rmsce_marginal(p, stored.label, stored.classes), stored.marginal));
    CHECK(near(attacks::rmsce_marginal(p, stored.label, stored.classes, Estimator::plug_in),
               stored.marginal_plug_in));
    CHECK(near(attacks::rmsce_top_label(p, predicted, stored.label, stored.classes), stored.top_label));
    CHECK(near(attacks::rmsce_top_label(p, predicted, stored.label, stored.classes, Estimator::plug_in),
               stored.top_label_plug_in));
  }
}

TEST_CASE("calibration: one column of many values keeps all columns in bins of equal mass") {
  // As in the authors' package: single values become bins only if every column has fewer than n / 4 of them.
  Doubles probability;
  Labels label;
  std::vector<bool> y0, y1;
  Doubles p0, p1;
  for (int i = 0; i < 40; ++i) {
    const double a = 0.3 + 0.01 * i, b = i % 2 == 0 ? 0.2 : 0.7;  // need not sum to 1 for the formula
    probability.insert(probability.end(), {a, b});
    label.push_back(i % 3 == 0 ? 0 : 1);
    p0.push_back(a);
    p1.push_back(b);
    y0.push_back(label.back() == 0);
    y1.push_back(label.back() == 1);
  }
  const double expected = debiased_squared_error(p0, y0, attacks::equal_mass_edges(p0, 15)) +
                          debiased_squared_error(p1, y1, attacks::equal_mass_edges(p1, 15));
  CHECK(attacks::rmsce_marginal(probability, label, 2) ==
        doctest::Approx(std::sqrt(expected / 2)).epsilon(1e-12));
}

TEST_CASE(
    "calibration: gaps between confidence and accuracy, and the plug-in error, of bins worked out by hand") {
  const Doubles p = {0.1, 0.1, 0.4, 0.9};
  const std::vector<bool> y = {false, true, true, true};
  const auto bins = attacks::reliability(p, y, Doubles{0.5, 0.8, 1});
  REQUIRE(bins.size() == 3);
  CHECK(bins[0].count == 3);
  CHECK(bins[0].sum_p == doctest::Approx(0.6).epsilon(1e-12));
  CHECK(bins[0].sum_y == 2);
  CHECK(bins[1].count == 0);
  CHECK(attacks::mean_gap(bins) == doctest::Approx((1.4 + 0.1) / 4).epsilon(1e-12));
  CHECK(attacks::largest_gap(bins) == doctest::Approx(1.4 / 3).epsilon(1e-12));
  const double first = 1.4 / 3 * (1.4 / 3);
  CHECK(attacks::squared_error(bins, attacks::Estimator::plug_in) ==
        doctest::Approx(0.75 * first + 0.25 * 0.01).epsilon(1e-12));
  CHECK(attacks::squared_error(bins, attacks::Estimator::debiased) ==
        doctest::Approx(0.75 * (first - 2.0 / 9 / 2)).epsilon(1e-12));
  const std::vector<attacks::ReliabilityBin> empty(4);
  CHECK(std::isnan(attacks::mean_gap(empty)));
  CHECK(std::isnan(attacks::largest_gap(empty)));
  CHECK(attacks::equal_width_edges(4) == Doubles{0.25, 0.5, 0.75, 1});
}

}  // namespace inocula::test
