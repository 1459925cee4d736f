// Binary cross-entropy: its formula in double for any logit, and its gradient by finite differences.
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Case {
  std::vector<float> logits;
  std::vector<std::int32_t> label;
  std::int64_t labels = 0;
  float scale = 1;
};

/// dlogits, loss, predicted.
Outputs binary_ce(const Case& c, bool with_gradient = true) {
  const auto rows = c.logits.size() / static_cast<std::size_t>(c.labels);
  return same_everywhere([&](const Run& run) {
    Guarded<float> dlogits(c.logits.size(), 7.0f), loss(rows, kNan);
    Guarded<std::int32_t> predicted(c.logits.size(), -1);
    run.kernels.binary_ce(run.queue, {.logits = c.logits.data(),
                                      .label = c.label.data(),
                                      .dlogits = with_gradient ? dlogits.data() : nullptr,
                                      .loss = loss.data(),
                                      .predicted = predicted.data(),
                                      .rows = static_cast<std::int64_t>(rows),
                                      .labels = c.labels,
                                      .scale = c.scale});
    return Outputs{dlogits.values(), loss.values(), as_floats(predicted.values())};
  });
}

/// max(z, 0) - z y + ln(1 + e^-|z|), as the documents of frameworks have it.
double loss_of(double z, std::int32_t y) {
  return std::max(z, 0.0) - z * y + std::log1p(std::exp(-std::abs(z)));
}

Case random_case(std::int64_t labels, std::size_t rows, float spread, unsigned seed) {
  const std::size_t all = rows * static_cast<std::size_t>(labels);
  Case c{random_floats(all, seed, -spread, spread), {}, labels};
  for (std::size_t i = 0; i < all; ++i)
    c.label.push_back(static_cast<std::int32_t>((i * 7 + i / 5 + seed) % 2));
  return c;
}

/// Double arithmetic throughout: a result is its float rounding, below the normal floats half the spacing.
constexpr double kRelative = 1.01 * kFloatEpsilon;
constexpr double kDenormalStep = 0x1p-149;

TEST_CASE("binary_ce agrees with its formula for any number of labels and any logit") {
  for (const std::int64_t labels : {1, 2, 5, 14, 16, 17, 300})
    for (const float spread : {1e-3f, 1.0f, 30.0f, 80.0f, 1e4f})
      for (const float scale : {1.0f, 1.0f / 126}) {
        CAPTURE(labels);
        CAPTURE(spread);
        Case c = random_case(labels, 9, spread, 3);
        c.scale = scale;
        std::vector<double> loss, slope;
        std::vector<float> predicted;
        for (std::size_t i = 0; i < c.logits.size(); ++i) {
          const double z = c.logits[i];
          if (i % static_cast<std::size_t>(labels) == 0) loss.push_back(0);
          loss.back() += loss_of(z, c.label[i]);
          slope.push_back(static_cast<double>(scale) *
                          (c.label[i] != 0 ? -1 / (1 + std::exp(z)) : 1 / (1 + std::exp(-z))));
          predicted.push_back(z > 0 ? 1 : 0);
        }
        const Outputs out = binary_ce(c);
        check_near(out[0], slope, kRelative, kDenormalStep, "dlogits");
        // z y is taken off in the formula: what is left of small losses has its rounding.
        check_near(out[1], loss, kRelative, 1e-15 * spread * static_cast<double>(labels), "loss");
        CHECK(out[2] == predicted);
      }
}

TEST_CASE("binary_ce: the gradient is the loss's difference quotient") {
  Case c = random_case(14, 6, 5, 11);
  const Outputs out = binary_ce(c);
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < c.logits.size(); ++i) {
    const double z = c.logits[i];
    const double slope = (loss_of(z + kStep, c.label[i]) - loss_of(z - kStep, c.label[i])) / (2 * kStep);
    CHECK(out[0][i] == doctest::Approx(slope).epsilon(1e-6));
  }
}

TEST_CASE("binary_ce at values that are known") {
  // ln 2 and half a step at a logit of 0; a hundredfold margin still has a gradient, either way round.
  const Outputs even = binary_ce({{0, 0}, {1, 0}, 2});
  CHECK(even[1][0] == static_cast<float>(2 * std::log(2.0)));
  CHECK(even[0] == std::vector<float>{-0.5f, 0.5f});
  CHECK(even[2] == std::vector<float>{0, 0});
  const Outputs sure = binary_ce({{100, -100}, {1, 0}, 1});
  CHECK(sure[0][0] < 0);
  CHECK(sure[0][0] == -sure[0][1]);
  CHECK(sure[1][0] > 0);
  const Outputs wrong = binary_ce({{1e4f, -1e4f}, {0, 1}, 1});
  CHECK(wrong[1] == std::vector<float>{1e4f, 1e4f});
  CHECK(wrong[0] == std::vector<float>{1, -1});
  const Outputs endless = binary_ce({{kInfinity, -kInfinity}, {1, 0}, 2});
  CHECK(endless[1][0] == 0);
  CHECK(endless[0] == std::vector<float>{0, 0});
}

TEST_CASE("binary_ce: a NaN logit makes its row's loss and its own gradient NaN") {
  const Outputs out = binary_ce({{1, kNan, 0, /**/ 1, 2, 3}, {0, 1, 0, /**/ 1, 0, 1}, 3});
  CHECK(std::isnan(out[1][0]));
  CHECK(std::isfinite(out[1][1]));
  CHECK(std::isnan(out[0][1]));
  CHECK(std::isfinite(out[0][0]));
  CHECK(out[2][1] == 0);
}

TEST_CASE("binary_ce without a gradient gives the same loss") {
  const Case c = random_case(14, 40, 3, 4);
  const Outputs with = binary_ce(c), without = binary_ce(c, false);
  CHECK(difference_in_bits({with[1], with[2]}, {without[1], without[2]}) == "");
  for (const float untouched : without[0]) CHECK(untouched == 7.0f);
}

}  // namespace
}  // namespace inocula::test
