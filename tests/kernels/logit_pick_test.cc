// Classes in order, and where backward passes of single logits and their differences begin.
#include "kernels/logit_pick.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

std::vector<float> ranked(const std::vector<float>& logits, std::int64_t rows, std::int64_t classes,
                          std::int64_t count) {
  return same_everywhere([&](const Run& run) {
    Guarded<std::int32_t> rank(static_cast<std::size_t>(rows * count), -1);
    run.kernels.rank_classes(
        run.queue,
        {.logits = logits.data(), .rank = rank.data(), .rows = rows, .classes = classes, .count = count});
    return Outputs{as_floats(rank.values())};
  })[0];
}

TEST_CASE("rank_classes is a stable sort by falling logits") {
  for (const std::int64_t classes : {2, 3, 11, 40})
    for (const std::int64_t count : {std::int64_t{1}, std::int64_t{2}, classes}) {
      CAPTURE(classes);
      CAPTURE(count);
      constexpr std::int64_t kRows = 50;
      std::vector<float> logits = random_floats(static_cast<std::size_t>(kRows * classes), 3, -2, 2);
      for (float& z : logits) z = std::round(z * 4) / 4;  // many are equal
      std::vector<float> expected;
      for (std::int64_t row = 0; row < kRows; ++row) {
        std::vector<std::int64_t> order(static_cast<std::size_t>(classes));
        std::iota(order.begin(), order.end(), 0);
        const auto z = [&](std::int64_t j) { return logits[static_cast<std::size_t>(row * classes + j)]; };
        std::stable_sort(order.begin(), order.end(),
                         [&](std::int64_t i, std::int64_t j) { return z(i) > z(j); });
        expected.insert(expected.end(), order.begin(), order.begin() + count);
      }
      CHECK(ranked(logits, kRows, classes, count) == expected);
    }
}

TEST_CASE("rank_classes puts NaN last") {
  CHECK(ranked({kNan, 1, kNan, 2, /**/ kNan, kNan, kNan, kNan}, 2, 4, 4) ==
        std::vector<float>{3, 1, 0, 2, /**/ 0, 1, 2, 3});
}

TEST_CASE("pick_logits: a difference of two, one alone, and all but one") {
  const std::vector<std::int32_t> index = {2, 0, 1, /**/ 1, 2, 0};
  const auto picked = [&](std::int64_t toward, std::int64_t away, float weight, float elsewhere) {
    return same_everywhere([&](const Run& run) {
      Guarded<float> dlogits(6, 7.0f);
      run.kernels.pick_logits(run.queue, {.index = index.data(),
                                          .dlogits = dlogits.data(),
                                          .rows = 2,
                                          .classes = 3,
                                          .columns = 3,
                                          .toward = toward,
                                          .away = away,
                                          .weight = weight,
                                          .elsewhere = elsewhere});
      return Outputs{dlogits.values()};
    })[0];
  };
  CHECK(picked(1, 0, 1, 0) == std::vector<float>{1, 0, -1, /**/ 0, -1, 1});
  CHECK(picked(2, -1, 1, 0) == std::vector<float>{0, 1, 0, /**/ 1, 0, 0});
  CHECK(picked(0, -1, 0, 1) == std::vector<float>{1, 1, 0, /**/ 1, 0, 1});
}

}  // namespace
}  // namespace inocula::test
