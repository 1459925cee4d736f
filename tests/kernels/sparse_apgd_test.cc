// Auto-PGD in L1, turn by turn, against its rules in double.
#include "kernels/sparse_apgd.h"

#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr std::int64_t kRows = 5, kCols = 60;
constexpr int kTurns = 24;
constexpr float kStep = 2.0f;

/// What every turn finds, wherever the attack is: an iterate, its gradient, loss and judgement.
struct Findings {
  std::vector<float> clean;
  std::vector<std::vector<float>> x, gradient, loss;
  std::vector<std::vector<std::int32_t>> hit;

  Findings() : clean(random_floats(kRows * kCols, 3, 0, 1)) {
    for (int turn = 0; turn <= kTurns; ++turn) {
      const auto seed = static_cast<unsigned>(100 + turn);
      x.push_back(clean);
      const std::vector<float> fresh = random_floats(clean.size(), seed, -0.3f, 1.3f),
                               chance = random_floats(clean.size(), seed + 500, 0, 1);
      // Row by row iterates that grow sparser, or stay as they are.
      for (std::size_t i = 0; i < clean.size(); ++i) {
        const std::size_t row = i / kCols;
        const float share = row == 0 ? 0.9f - 0.035f * static_cast<float>(turn) : 0.6f;
        if (chance[i] < share) x.back()[i] = std::clamp(fresh[i], 0.0f, 1.0f);
      }
      gradient.push_back(random_floats(clean.size(), seed + 1000));
      loss.push_back(random_floats(kRows, seed + 2000, 0, 1));
      loss.back()[0] = static_cast<float>(turn);
      loss.back()[1] = static_cast<float>(-turn);
      loss.back()[2] = turn == 4 ? kNan : loss.back()[2];
      hit.emplace_back(static_cast<std::size_t>(kRows), 0);
      hit.back()[3] = turn >= 9 ? 1 : 0;
    }
  }
};

std::vector<float> part(const std::vector<float>& all, std::size_t row) {
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(row * kCols);
  return {first, first + kCols};
}

/// The rules for one row: at the end the best, x, its gradient, step, count, support, done.
struct Expected {
  std::vector<float> best, x, gradient, numbers;
};

Expected expected_of(const Findings& f, std::size_t row, int every, bool hits) {
  Expected e;
  std::vector<float> best_gradient;
  double step = kStep, best_loss = 0;
  int count = 0, support = 0, since = 0;
  bool done = false;
  const std::vector<float> clean = part(f.clean, row);
  const auto measure = [&] {
    int free = 0;
    support = 0;
    for (std::size_t i = 0; i < clean.size(); ++i) {
      support += e.best[i] != clean[i] ? 1 : 0;
      free += e.best[i] != clean[i] && e.best[i] > 0 && e.best[i] < 1 ? 1 : 0;
    }
    count = std::max(1, static_cast<int>(free / 1.5));
  };
  for (std::size_t turn = 0; turn <= kTurns; ++turn) {
    const double loss = f.loss[turn][row];
    // A row that is done keeps what it had.
    if (done) {
      e.x = part(f.x[turn], row), e.gradient = part(f.gradient[turn], row);
      continue;
    }
    e.x = part(f.x[turn], row), e.gradient = part(f.gradient[turn], row);
    const bool hit = hits && f.hit[turn][row] != 0, better = turn == 0 || loss > best_loss;
    if (better || hit) e.best = e.x;
    if (better) best_gradient = e.gradient, best_loss = loss;
    if (turn == 0)
      measure();
    else
      ++since;
    if (!hit && since == every) {
      const int before = support;
      measure();
      const bool sparser = support < 0.95 * before;
      step = sparser ? kStep : std::max(step / 1.5, 0.1 * kStep);
      since = 0;
      if (sparser) e.x = e.best, e.gradient = best_gradient;
    }
    done = hit || row == 4;
  }
  e.numbers = {static_cast<float>(step), static_cast<float>(count), static_cast<float>(support),
               done ? 1.0f : 0.0f};
  return e;
}

TEST_CASE("sparse_apgd_look: steps and sparsity are those of the rules") {
  const Findings f;
  for (const int every : {1, 3})
    for (const bool hits : {true, false}) {
      CAPTURE(every);
      CAPTURE(hits);
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> best(f.clean.size()), best_gradient(f.clean.size());
        Guarded<SparseApgdState> state(kRows);
        Guarded<std::int32_t> done(kRows, 0);
        const std::vector<std::int32_t> sample = {0, 1, 2, 3, -1};
        Outputs last;
        for (std::size_t turn = 0; turn <= kTurns; ++turn) {
          Guarded<float> x(f.x[turn]), gradient(f.gradient[turn]);
          run.kernels.sparse_apgd_look(run.queue, {.x = x.data(),
                                                   .gradient = gradient.data(),
                                                   .clean = f.clean.data(),
                                                   .loss = f.loss[turn].data(),
                                                   .hit = hits ? f.hit[turn].data() : nullptr,
                                                   .sample = sample.data(),
                                                   .best = best.data(),
                                                   .best_gradient = best_gradient.data(),
                                                   .state = state.data(),
                                                   .done = done.data(),
                                                   .rows = kRows,
                                                   .cols = kCols,
                                                   .step = kStep,
                                                   .every = every});
          last = {best.values(), x.values(), gradient.values()};
        }
        std::vector<float> numbers;
        for (std::size_t row = 0; row < kRows; ++row)
          for (const float v : {state[row].step, static_cast<float>(state[row].count),
                                static_cast<float>(state[row].support), static_cast<float>(done[row])})
            numbers.push_back(v);
        last.push_back(numbers);
        return last;
      });
      for (std::size_t row = 0; row < kRows; ++row) {
        CAPTURE(row);
        const Expected e = expected_of(f, row, every, hits);
        CHECK(part(out[0], row) == e.best);
        CHECK(part(out[1], row) == e.x);
        CHECK(part(out[2], row) == e.gradient);
        check_near({out[3].begin() + static_cast<std::ptrdiff_t>(4 * row),
                    out[3].begin() + static_cast<std::ptrdiff_t>(4 * row + 4)},
                   as_doubles(e.numbers), 1e-6, 0, "state");
      }
      // Row 0 grows sparser all the time, row 1 never: its step is at its least.
      CHECK(out[3][1] < out[3][5]);
      if (every == 1) CHECK(out[3][4] == doctest::Approx(0.1 * kStep));
    }
}

TEST_CASE("sparse_apgd_step: each row by its own length and count, and rows that are done stay") {
  const std::vector<float> x = {0.5f, 0.5f, 1.0f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f},
                           gradient = {3, -2, 4, 1, -3, 2, 1, 1, 1};
  const std::vector<SparseApgdState> state = {{.step = 0.5f, .count = 1}, {.step = 1, .count = 2}, {}};
  const std::vector<std::int32_t> done = {0, 0, 1};
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> y(x);
    run.kernels.sparse_apgd_step(run.queue, {.x = y.data(),
                                             .gradient = gradient.data(),
                                             .state = state.data(),
                                             .done = done.data(),
                                             .rows = 3,
                                             .cols = 3});
    return Outputs{y.values()};
  });
  CHECK(out[0] == std::vector<float>{1.0f, 0.5f, 1.5f, 0.5f, 0.0f, 1.0f, 0.5f, 0.5f, 0.5f});
}

}  // namespace
}  // namespace inocula::test
