// Bootstrap intervals: of known width for means, reproducible, and honest about what is undefined.
#include "attacks/scores/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using attacks::BootstrapSpec;
using attacks::Interval;
using attacks::Predictions;

/// `n` images of two classes whose logits are drawn at random.
Predictions random_predictions(std::int64_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> logits;
  std::vector<std::int32_t> label;
  for (std::int64_t i = 0; i < n; ++i) {
    label.push_back(static_cast<std::int32_t>(generator() % 2));
    logits.push_back(normal(generator));
    logits.push_back(normal(generator) + static_cast<float>(label.back()));
  }
  return Predictions(logits, label, 2);
}

std::vector<double> mean_nll(const Predictions& p) {
  double sum = 0;
  for (const double v : p.nll) sum += v / static_cast<double>(p.size());
  return {sum};
}

}  // namespace

TEST_CASE("bootstrap: a resample is drawn evenly, and is a function of seed and number") {
  constexpr std::int64_t kImages = 40, kResamples = 2000;
  std::vector<double> taken(kImages);
  for (std::int64_t b = 0; b < kResamples; ++b) {
    const std::vector<std::uint32_t> images = attacks::resample_images(3, b, kImages);
    REQUIRE(images.size() == kImages);
    for (const std::uint32_t i : images) taken.at(i) += 1;
  }
  for (const double t : taken)
    CHECK(std::fabs(t - kResamples) <= 5 * std::sqrt(static_cast<double>(kResamples)));
  CHECK(attacks::resample_images(3, 7, kImages) == attacks::resample_images(3, 7, kImages));
  CHECK(attacks::resample_images(3, 7, kImages) != attacks::resample_images(3, 8, kImages));
  CHECK(attacks::resample_images(3, 7, kImages) != attacks::resample_images(4, 7, kImages));
}

TEST_CASE("bootstrap: the interval of a mean is that of the normal approximation") {
  const Predictions p = random_predictions(2000, 5);
  const double mean = mean_nll(p)[0];
  double variance = 0;
  for (const double v : p.nll) variance += (v - mean) * (v - mean) / static_cast<double>(p.size());
  const double half = 1.96 * std::sqrt(variance / static_cast<double>(p.size()));
  const Interval i = attacks::bootstrap95(p, {.resamples = 4000, .seed = 1}, mean_nll)[0];
  CHECK(i.low == doctest::Approx(mean - half).epsilon(0.1 * half / mean));
  CHECK(i.high == doctest::Approx(mean + half).epsilon(0.1 * half / mean));
}

TEST_CASE("bootstrap: of one value the interval is that value, and few resamples are interpolated") {
  const Predictions p(std::vector<float>{0, 1, 0, 1, 0, 1}, std::vector<std::int32_t>{1, 1, 1}, 2);
  const Interval i = attacks::bootstrap95(p, {.resamples = 10, .seed = 0}, mean_nll)[0];
  CHECK(i.low == doctest::Approx(p.nll[0]).epsilon(1e-12));
  CHECK(i.high == doctest::Approx(p.nll[0]).epsilon(1e-12));
  // Five resamples: the 2.5 % quantile lies a tenth of the way from the smallest to the next.
  const Predictions many = random_predictions(50, 8);
  std::vector<double> values;
  for (std::int64_t b = 0; b < 5; ++b)
    values.push_back(mean_nll(many.pick(attacks::resample_images(9, b, 50)))[0]);
  std::sort(values.begin(), values.end());
  const Interval five = attacks::bootstrap95(many, {.resamples = 5, .seed = 9}, mean_nll)[0];
  CHECK(five.low == doctest::Approx(0.9 * values[0] + 0.1 * values[1]).epsilon(1e-12));
  CHECK(five.high == doctest::Approx(0.1 * values[3] + 0.9 * values[4]).epsilon(1e-12));
}

TEST_CASE("bootstrap: resamples in which a score is undefined are left out") {
  // One positive among four: about a third of the resamples lack it, and their AUC is not a number.
  const Predictions p(std::vector<float>{0, 1, 0, 2, 0, 3, 0, 4}, std::vector<std::int32_t>{0, 0, 0, 1}, 2);
  const auto auc = [](const Predictions& r) { return std::vector<double>{attacks::score(r).auc}; };
  const Interval i = attacks::bootstrap95(p, {.resamples = 200, .seed = 2}, auc)[0];
  CHECK(i.low == 1);
  CHECK(i.high == 1);
  const auto never = [](const Predictions&) {
    return std::vector<double>{std::numeric_limits<double>::quiet_NaN()};
  };
  CHECK(std::isnan(attacks::bootstrap95(p, {.resamples = 20, .seed = 2}, never)[0].low));
}

TEST_CASE("bootstrap: the same numbers again and others with another seed, and no resamples are refused") {
  const Predictions p = random_predictions(100, 6);
  const auto interval = [&](std::uint64_t seed) {
    return attacks::bootstrap95(p, {.resamples = 50, .seed = seed}, mean_nll)[0];
  };
  CHECK(interval(1).low == interval(1).low);
  CHECK(interval(1).low != interval(2).low);
  check_throws(ErrorKind::usage, "bootstrap: 0 resamples, expected at least 1",
               [&] { attacks::bootstrap95(p, {.resamples = 0}, mean_nll); });
  check_throws(ErrorKind::internal, "on purpose", [&] {
    attacks::bootstrap95(p, {.resamples = 5}, [](const Predictions&) -> std::vector<double> {
      fail(ErrorKind::internal, "on purpose");
    });
  });
}

}  // namespace inocula::test
