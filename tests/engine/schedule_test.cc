// Learning rates, the order of an epoch, and the numbers and specs that users write.
#include "engine/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>

#include "engine/shuffle.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

double rate(const Schedule& s, std::int64_t step, std::int64_t total) {
  check(s);
  return learning_rate(s, step, total);
}

}  // namespace

TEST_CASE("schedule: constant and steps") {
  CHECK(rate({.peak = 0.3, .milestones = {}}, 0, 10) == 0.3);
  CHECK(rate({.peak = 0.3, .milestones = {}}, 9, 10) == 0.3);
  const Schedule s{.kind = ScheduleKind::steps, .peak = 1, .milestones = {0.5, 0.75}, .factor = 0.1};
  for (std::int64_t step = 0; step < 100; ++step)
    CHECK(rate(s, step, 100) == doctest::Approx(step < 50 ? 1 : step < 75 ? 0.1 : 0.01).epsilon(1e-12));
  // A milestone between two steps takes hold at the one before it: 0.5 of 5 is step 2.
  CHECK(rate(s, 1, 5) == 1);
  CHECK(rate(s, 2, 5) == doctest::Approx(0.1));
}

TEST_CASE("schedule: cosine") {
  const Schedule s{.kind = ScheduleKind::cosine, .peak = 0.2, .milestones = {}};
  CHECK(rate(s, 0, 40) == 0.2);
  CHECK(rate(s, 20, 40) == doctest::Approx(0.1).epsilon(1e-12));
  CHECK(rate(s, 39, 40) > 0);
  for (std::int64_t step = 0; step < 40; ++step)
    CHECK(rate(s, step, 40) ==
          doctest::Approx(0.2 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / 40)) / 2)
              .epsilon(1e-12));
}

TEST_CASE("schedule: triangular rises to its turn, falls after it, and is never 0") {
  for (const double turn : {0.1, 0.4, 0.5, 0.9})
    for (const std::int64_t total : {1, 2, 3, 10, 100}) {
      CAPTURE(turn);
      CAPTURE(total);
      const Schedule s{.kind = ScheduleKind::triangular, .peak = 0.5, .milestones = {}, .turn = turn};
      const double top = turn * static_cast<double>(total);
      for (std::int64_t step = 0; step < total; ++step) {
        const double r = rate(s, step, total);
        CHECK(r > 0);
        CHECK(r <= 0.5 * (1 + 1e-12));
        if (step > 0 && static_cast<double>(step + 1) <= top) CHECK(r > rate(s, step - 1, total));
        if (step > 0 && static_cast<double>(step) > top) CHECK(r < rate(s, step - 1, total));
      }
    }
  const Schedule s{.kind = ScheduleKind::triangular, .peak = 1, .milestones = {}, .turn = 0.4};
  CHECK(rate(s, 0, 10) == doctest::Approx(0.25));
  CHECK(rate(s, 3, 10) == doctest::Approx(1));
  CHECK(rate(s, 4, 10) == doctest::Approx(1));
  CHECK(rate(s, 9, 10) == doctest::Approx(1.0 / 6));
}

TEST_CASE("schedule: warm-up multiplies whatever follows") {
  const Schedule plain{.kind = ScheduleKind::cosine, .peak = 0.1, .milestones = {}};
  Schedule warm = plain;
  warm.warmup = 0.2;
  for (std::int64_t step = 0; step < 50; ++step) {
    const double factor = std::min(1.0, static_cast<double>(step + 1) / 10);
    CHECK(rate(warm, step, 50) == doctest::Approx(factor * rate(plain, step, 50)).epsilon(1e-12));
  }
}

TEST_CASE("schedule: fields out of range are refused") {
  const auto refuse = [](const Schedule& s, const char* part) {
    check_throws(ErrorKind::usage, part, [&] { check(s); });
  };
  refuse({.peak = 0, .milestones = {}}, "lr is 0");
  refuse({.peak = -1, .milestones = {}}, "lr is -1");
  refuse({.peak = std::numeric_limits<double>::infinity(), .milestones = {}}, "lr is inf");
  refuse({.peak = std::nan(""), .milestones = {}}, "lr is nan");
  refuse({.peak = 1e39, .milestones = {}}, "lr is 1e+39");
  refuse({.peak = 1e-46, .milestones = {}}, "lr is 1e-46");
  refuse({.milestones = {}, .warmup = 1}, "warm-up is 1");
  refuse({.milestones = {}, .warmup = -0.1}, "warm-up is -0.1");
  refuse({.milestones = {}, .turn = 0}, "turn is 0");
  refuse({.milestones = {}, .turn = 1}, "turn is 1");
  refuse({.milestones = {0.5}, .factor = 0}, "lr factor is 0");
  refuse({.milestones = {}, .factor = std::numeric_limits<double>::infinity()}, "lr factor is inf");
  refuse({.milestones = {0.5, 0.5}}, "milestones: 0.5");
  refuse({.milestones = {0}}, "milestones: 0");
  refuse({.milestones = {0.2, 1}}, "milestones: 1");
}

TEST_CASE("shuffle: a permutation that is a function of seed and epoch") {
  for (const std::size_t size : {1, 2, 10, 1000}) {
    std::vector<std::int32_t> order(size, -7), again(size), sorted;
    inocula::shuffle(3, 1, order);
    inocula::shuffle(3, 1, again);
    CHECK(order == again);
    sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < size; ++i) CHECK(sorted[i] == static_cast<std::int32_t>(i));
    if (size < 10) continue;
    inocula::shuffle(3, 2, again);
    CHECK(order != again);
    inocula::shuffle(4, 1, again);
    CHECK(order != again);
  }
}

TEST_CASE("shuffle: every order of three images is about as frequent as any other") {
  std::map<std::vector<std::int32_t>, int> count;
  constexpr int kTrials = 12000;
  std::vector<std::int32_t> order(3);
  for (int epoch = 0; epoch < kTrials; ++epoch) {
    inocula::shuffle(1, static_cast<std::uint32_t>(epoch), order);
    count[order] += 1;
  }
  CHECK(count.size() == 6);
  double chi_squared = 0;
  for (const auto& [permutation, n] : count)
    chi_squared += (n - kTrials / 6.0) * (n - kTrials / 6.0) / (kTrials / 6.0);
  CHECK(chi_squared < 20.5);  // 99.9 % quantile for 5 degrees of freedom; the draw is fixed
}

}  // namespace inocula::test
