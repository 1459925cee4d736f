// Confidence histograms: equal to the reference as integers, whatever the order; and the training tally.
#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Predictions {
  std::vector<float> logits;
  std::vector<std::int32_t> label;
  std::int64_t classes = 0;
};

bool equal(const std::vector<CalibrationBin>& a, const std::vector<CalibrationBin>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const CalibrationBin& p, const CalibrationBin& q) {
                      return p.count == q.count && p.correct == q.correct && p.confidence == q.confidence;
                    });
}

std::vector<CalibrationBin> bin(const Run& run, const Predictions& p, std::int32_t bins) {
  Guarded<CalibrationBin> result(static_cast<std::size_t>(bins));
  run.kernels.bin_confidence(run.queue, {.logits = p.logits.data(),
                                         .label = p.label.data(),
                                         .bin = result.data(),
                                         .rows = static_cast<std::int64_t>(p.label.size()),
                                         .classes = p.classes,
                                         .bins = bins});
  return result.values();
}

/// The confidence by libm. Where it lies within 1e-12 of an edge or of half a unit of 2^-32, libm's last bit
/// could decide otherwise than ours; `ambiguous` says so, and a test that meets one fails.
std::vector<CalibrationBin> reference(const Predictions& p, std::int32_t bins, bool& ambiguous) {
  std::vector<CalibrationBin> result(static_cast<std::size_t>(bins));
  for (std::size_t row = 0; row < p.label.size(); ++row) {
    if (p.label[row] < 0) continue;
    const float* z = p.logits.data() + row * static_cast<std::size_t>(p.classes);
    const float* top = std::max_element(z, z + p.classes);
    double sum = 0;
    for (std::int64_t j = 0; j < p.classes; ++j) sum += std::exp(double{z[j]} - *top);
    const double confidence = 1 / sum;
    std::int32_t b = 0;
    while (b < bins - 1 && confidence > static_cast<double>(b + 1) / bins) ++b;
    for (std::int32_t edge = 1; edge < bins; ++edge)
      ambiguous = ambiguous ||
                  (std::fabs(confidence - static_cast<double>(edge) / bins) < 1e-12 && confidence != 0.5);
    CalibrationBin& into = result[static_cast<std::size_t>(b)];
    into.count += 1;
    into.correct += top - z == p.label[row] ? 1 : 0;
    const double units = confidence * 0x1p32;
    ambiguous = ambiguous || std::fabs(units - std::floor(units) - 0.5) < 1e-5;
    into.confidence += static_cast<std::uint64_t>(std::llround(units));
  }
  return result;
}

TEST_CASE("bin_confidence equals the reference as integers on every target, in any order") {
  for (const std::int64_t classes : {1, 2, 3, 9, 14, 16, 17}) {
    for (const std::int32_t bins : {1, 2, 15, kMaxCalibrationBins}) {
      CAPTURE(classes);
      CAPTURE(bins);
      constexpr std::size_t kRows = 3000;
      Predictions p{random_floats(kRows * static_cast<std::size_t>(classes), 17, -4, 4), {}, classes};
      for (std::size_t row = 0; row < kRows; ++row)
        p.label.push_back(
            row % 11 == 10 ? -1 : static_cast<std::int32_t>(row % static_cast<std::size_t>(classes)));
      bool ambiguous = false;
      const std::vector<CalibrationBin> expected = reference(p, bins, ambiguous);
      REQUIRE(!ambiguous);
      Predictions reversed = p;
      std::reverse(reversed.logits.begin(), reversed.logits.end());
      for (std::size_t row = 0; row < kRows; ++row) {
        float* z = reversed.logits.data() + row * static_cast<std::size_t>(classes);
        std::reverse(z, z + classes);
      }
      std::reverse(reversed.label.begin(), reversed.label.end());
      for (const Run& run : runs(kRows)) {
        CAPTURE(run.name);
        CHECK(equal(bin(run, p, bins), expected));
        CHECK(equal(bin(run, reversed, bins), expected));
      }
    }
  }
}

TEST_CASE("bin_confidence: rows side by side are binned as by teams, whatever their number") {
  constexpr std::size_t kAllClasses = 17;
  for (const std::size_t classes : {1u, 2u, 3u, 9u, 16u}) {
    for (const std::size_t rows : {1u, 7u, 8u, 9u, 1023u, 1025u}) {
      CAPTURE(classes);
      CAPTURE(rows);
      Predictions few{random_floats(rows * classes, 3, -2, 2), {}, static_cast<std::int64_t>(classes)};
      for (std::size_t row = 0; row < rows; ++row)
        few.label.push_back(row % 5 == 4 ? -1 : static_cast<std::int32_t>(row % classes));
      few.logits[few.logits.size() / 2] = kNan;
      // Impossible classes add nothing.
      Predictions many{std::vector<float>(rows * kAllClasses, -kInfinity), few.label, kAllClasses};
      for (std::size_t row = 0; row < rows; ++row)
        std::copy_n(few.logits.data() + row * classes, classes, many.logits.data() + row * kAllClasses);
      const std::vector<CalibrationBin> expected = bin(runs().front(), many, 15);
      for (const Run& run : runs(static_cast<std::int64_t>(rows))) {
        CAPTURE(run.name);
        CHECK(equal(bin(run, few, 15), expected));
      }
    }
  }
}

TEST_CASE("bin_confidence: bins are closed on the right") {
  // Two equal logits have confidence 1/2 exactly, which is an edge of 2, 4 and 10 bins; one class has
  // confidence 1.
  for (const Run& run : runs()) {
    for (const std::int32_t bins : {2, 4, 10}) {
      const std::vector<CalibrationBin> half = bin(run, {{3, 3, -1, -1}, {0, 1}, 2}, bins);
      for (std::int32_t b = 0; b < bins; ++b)
        CHECK(half[static_cast<std::size_t>(b)].count == (b == bins / 2 - 1 ? 2u : 0u));
      CHECK(half[static_cast<std::size_t>(bins / 2 - 1)].correct == 1);
      CHECK(half[static_cast<std::size_t>(bins / 2 - 1)].confidence == 1ull << 32);
    }
    const std::vector<CalibrationBin> sure = bin(run, {{1e4f, -1e4f}, {0}, 2}, 15);
    CHECK(sure[14].count == 1);
    CHECK(sure[14].confidence == 1ull << 32);
    // n equal logits: confidence 1/n, computed as a double, is the edge 1/n of n bins.
    for (const std::int64_t n : {3, 5, 7, 11, 13}) {
      const Predictions even{std::vector<float>(static_cast<std::size_t>(n), 0.25f), {0}, n};
      CHECK(bin(run, even, static_cast<std::int32_t>(n))[0].count == 1);
    }
  }
}

TEST_CASE("bin_confidence: a NaN row is counted as wrong, and bins accumulate") {
  for (const Run& run : runs()) {
    const std::vector<CalibrationBin> nan = bin(run, {{kNan, 1, /**/ kNan, kNan}, {1, 0}, 2}, 15);
    CHECK(nan[0].count == 2);
    CHECK(nan[0].correct == 0);
    CHECK(nan[0].confidence == 0);
    CalibrationBin one[1];
    const std::vector<float> logits = {0, 0};
    const std::int32_t label = 0;
    for (int i = 0; i < 3; ++i)
      run.kernels.bin_confidence(
          run.queue,
          {.logits = logits.data(), .label = &label, .bin = one, .rows = 1, .classes = 2, .bins = 1});
    CHECK(one[0].count == 3);
    CHECK(one[0].correct == 3);
    CHECK(one[0].confidence == 3ull << 31);
  }
}

TEST_CASE("tally adds losses and hits") {
  constexpr std::size_t kRows = 40000;  // more than a block on the GPU sums in one round
  const std::vector<float> loss = random_floats(kRows, 1, 0, 3);
  std::vector<std::int32_t> predicted, label;
  double expected_loss = 2;
  std::uint64_t expected_correct = 1;
  for (std::size_t i = 0; i < kRows; ++i) {
    predicted.push_back(static_cast<std::int32_t>(i % 3));
    label.push_back(static_cast<std::int32_t>(i % 5 % 3));
    expected_loss += loss[i];
    expected_correct += predicted[i] == label[i] ? 1 : 0;
  }
  std::vector<double> losses;
  for (const Run& run : runs()) {
    TrainingTally tally{.loss = 2, .correct = 1, .seen = 3};
    run.kernels.tally(run.queue, {.loss = loss.data(),
                                  .predicted = predicted.data(),
                                  .label = label.data(),
                                  .tally = &tally,
                                  .rows = kRows});
    losses.push_back(tally.loss);
    CHECK(tally.correct == expected_correct);
    CHECK(tally.seen == kRows + 3);
    // Pieces of 1024 losses are added in float.
    CHECK(tally.loss == doctest::Approx(expected_loss).epsilon(1e-6));
    CHECK(tally.loss == losses.front());
  }
}

TEST_CASE("tally counts each of several labels an image as a decision") {
  const std::vector<float> loss = {1, 2};
  const std::vector<std::int32_t> predicted = {1, 0, 1, /**/ 0, 0, 1}, label = {1, 1, 1, /**/ 0, 0, 0};
  for (const Run& run : runs()) {
    TrainingTally tally;
    run.kernels.tally(run.queue, {.loss = loss.data(),
                                  .predicted = predicted.data(),
                                  .label = label.data(),
                                  .tally = &tally,
                                  .rows = 2,
                                  .columns = 3});
    CHECK(tally.loss == 3);
    CHECK(tally.correct == 4);
    CHECK(tally.seen == 6);
  }
}

}  // namespace
}  // namespace inocula::test
