// Softmax cross-entropy: precise for any margin, and a gradient whose classes balance.
#include <cmath>

#include "tests/kernels/harness.h"
#include "tests/kernels/reference.h"

namespace inocula::test {
namespace {

struct Case {
  std::vector<float> logits;
  std::vector<std::int32_t> label;
  std::int64_t classes = 0;
  float scale = 1;
};

/// dlogits, loss, predicted.
Outputs softmax_ce(const Case& c) {
  return same_everywhere([&](const Run& run) {
    Guarded<float> dlogits(c.logits.size(), kNan), loss(c.label.size(), kNan);
    Guarded<std::int32_t> predicted(c.label.size(), -1);
    run.kernels.softmax_ce(run.queue, {.logits = c.logits.data(),
                                       .label = c.label.data(),
                                       .dlogits = dlogits.data(),
                                       .loss = loss.data(),
                                       .predicted = predicted.data(),
                                       .rows = static_cast<std::int64_t>(c.label.size()),
                                       .classes = c.classes,
                                       .scale = c.scale});
    return Outputs{dlogits.values(), loss.values(), as_floats(predicted.values())};
  });
}

Case random_case(std::int64_t classes, std::size_t rows, float spread, unsigned seed) {
  Case c{random_floats(rows * static_cast<std::size_t>(classes), seed, -spread, spread), {}, classes};
  for (std::size_t row = 0; row < rows; ++row)
    c.label.push_back(static_cast<std::int32_t>((row * 7 + seed) % static_cast<std::size_t>(classes)));
  return c;
}

/// Double arithmetic throughout, so a result is its float rounding; below the normal floats half the spacing.
constexpr double kRelative = 1.01 * kFloatEpsilon;
constexpr double kDenormalStep = 0x1p-149;

void check_against_reference(const Case& c) {
  const Outputs out = softmax_ce(c);
  const CrossEntropy expected = cross_entropy(as_doubles(c.logits), c.label, c.classes, c.scale);
  // The true class is the sum of the other stored floats: their roundings add up.
  check_near(out[0], expected.dlogits, 2 * kRelative, kDenormalStep * static_cast<double>(c.classes),
             "dlogits");
  check_near(out[1], expected.loss, kRelative, kDenormalStep, "loss");
  CHECK(out[2] == as_floats(expected.predicted));
  for (std::size_t row = 0; row < c.label.size(); ++row) {
    const float* dz = out[0].data() + row * static_cast<std::size_t>(c.classes);
    double others = 0;
    for (std::int64_t j = 0; j < c.classes; ++j)
      if (j != c.label[row]) others += dz[j];
    CHECK(dz[c.label[row]] == static_cast<float>(-others));
  }
}

TEST_CASE("softmax_ce agrees with the double reference for any number of classes and any margin") {
  for (const std::int64_t classes : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 1000}) {
    for (const float spread : {1e-3f, 1.0f, 30.0f, 80.0f, 1e4f}) {
      CAPTURE(classes);
      CAPTURE(spread);
      Case c = random_case(classes, 9, spread, 5);
      check_against_reference(c);
      c.scale = 1.0f / 9;
      check_against_reference(c);
    }
  }
}

TEST_CASE("softmax_ce: rows side by side have the bits of rows alone, and of teams that sum 17 classes") {
  constexpr std::size_t kAllClasses = 17;
  for (const std::int64_t classes : {1, 2, 3, 4, 5, 8, 9, 12, 13, 15, 16}) {
    for (const std::size_t rows : {1u, 7u, 8u, 9u, 64u, 65u, 137u}) {
      CAPTURE(classes);
      CAPTURE(rows);
      const std::size_t k = static_cast<std::size_t>(classes);
      Case few = random_case(classes, rows, 30, static_cast<unsigned>(rows));
      few.scale = 1.0f / 3;
      // A row with nothing but NaN has another class to be predicted where it is filled up.
      if (classes > 1) few.logits[few.logits.size() / 2] = kNan;
      for (std::size_t j = 0; j < k; ++j) few.logits[j] = 0;  // equals: the lowest is predicted
      // Impossible classes add nothing.
      Case many{std::vector<float>(rows * kAllClasses, -kInfinity), few.label, kAllClasses, few.scale};
      for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t j = 0; j < k; ++j) many.logits[row * kAllClasses + j] = few.logits[row * k + j];
      const Outputs side_by_side = softmax_ce(few), by_teams = softmax_ce(many);
      std::vector<float> dlogits;
      for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t j = 0; j < k; ++j) dlogits.push_back(by_teams[0][row * kAllClasses + j]);
      CHECK(difference_in_bits({side_by_side[0]}, {dlogits}) == "");
      CHECK(difference_in_bits({side_by_side[1], side_by_side[2]}, {by_teams[1], by_teams[2]}) == "");
    }
  }
}

TEST_CASE("softmax_ce at margins where p - 1 is lost") {
  for (const float margin : {17.0f, 40.0f, 80.0f, 88.0f, 100.0f, 103.0f}) {
    CAPTURE(margin);
    const Case right{{margin, 0, 0}, {0}, 3};
    check_against_reference(right);
    const Outputs out = softmax_ce(right);
    CHECK(out[0][0] < 0);
    CHECK(out[0][0] == -(out[0][1] + out[0][2]));
    CHECK(out[1][0] > 0);
    check_against_reference({{0, margin, 0}, {0}, 3});
  }
  const Outputs sure = softmax_ce({{1e4f, -1e4f}, {0}, 2});
  CHECK(sure[1][0] == 0);
  CHECK(sure[0] == std::vector<float>{0, 0});
  const Outputs wrong = softmax_ce({{1e4f, -1e4f}, {1}, 2});
  CHECK(wrong[1][0] == 2e4f);
  CHECK(wrong[0] == std::vector<float>{1, -1});
}

TEST_CASE("softmax_ce with equal logits") {
  for (const float z : {0.0f, 1e4f, -1e30f}) {
    const Outputs out = softmax_ce({std::vector<float>(8, z), {3, 0}, 4});
    CHECK(out[0] == std::vector<float>{0.25f, 0.25f, 0.25f, -0.75f, -0.75f, 0.25f, 0.25f, 0.25f});
    CHECK(out[1] == std::vector<float>(2, static_cast<float>(std::log(4.0))));
    CHECK(out[2] == std::vector<float>{0, 0});
  }
}

TEST_CASE("softmax_ce: a NaN or infinite logit makes the loss NaN and the prediction stays a class") {
  for (const float bad : {kNan, kInfinity}) {
    const Outputs out = softmax_ce({{1, bad, 0, /**/ bad, bad, bad, /**/ 1, 2, 3}, {0, 0, 2}, 3});
    CHECK(std::isnan(out[1][0]));
    CHECK(std::isnan(out[1][1]));
    CHECK(std::isfinite(out[1][2]));
    CHECK(std::isnan(out[0][0]));
    for (const float predicted : out[2]) CHECK((predicted >= 0 && predicted < 3));
  }
  const Outputs impossible = softmax_ce({{1, -kInfinity, 0}, {0}, 3});
  CHECK(impossible[0][1] == 0);
  CHECK(std::isfinite(impossible[1][0]));
}

TEST_CASE("softmax_ce: outputs may be left out, and rows do not know each other") {
  const Case c = random_case(9, 64, 5, 3);
  const Outputs all = softmax_ce(c);
  for (const Run& run : runs()) {
    Guarded<float> loss(64);
    run.kernels.softmax_ce(
        run.queue,
        {.logits = c.logits.data(), .label = c.label.data(), .loss = loss.data(), .rows = 64, .classes = 9});
    CHECK(difference_in_bits({loss.values()}, {all[1]}) == "");
    Guarded<float> dlogits(9);
    run.kernels.softmax_ce(run.queue, {.logits = c.logits.data() + 9 * 5,
                                       .label = c.label.data() + 5,
                                       .dlogits = dlogits.data(),
                                       .rows = 1,
                                       .classes = 9});
    CHECK(std::equal(dlogits.data(), dlogits.data() + 9, all[0].begin() + 9 * 5));
  }
}

TEST_CASE("the reference's gradient is the derivative of its loss") {
  const Case c = random_case(7, 5, 2, 4);
  std::vector<double> z = as_doubles(c.logits);
  const auto total = [&] {
    double sum = 0;
    for (const double loss : cross_entropy(z, c.label, 7, 1).loss) sum += loss;
    return sum;
  };
  CHECK(finite_difference_error(z, cross_entropy(z, c.label, 7, 1).dlogits, total) <= kFiniteDifferenceBound);
}

}  // namespace
}  // namespace inocula::test
