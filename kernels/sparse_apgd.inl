// Bodies of Auto-PGD in the L1 norm.
#include "kernels/sparse_apgd.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/sparse_move.h"

INOCULA_BEGIN_TARGET

namespace {

/// The paper's numbers: what a count and a step are divided by, the least step, and what counts as sparser.
constexpr float kDivisor = 1.5f, kLeastStep = 0.1f, kSparser = 0.95f;

struct SparseLookRow {
  SparseApgdLook a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.done[row] != 0) return;
    SparseApgdState s = a.state[row];
    const float loss = a.loss[row];
    const bool hit = a.hit != nullptr && a.hit[row] != 0, padding = a.sample[row] < 0, first = s.turn == 0;
    team.barrier();  // before the leader writes what all have read
    const bool better = first || loss > s.best_loss;
    if (better || hit) copy(row, team, a.x, a.best);
    if (better && a.gradient != nullptr) copy(row, team, a.gradient, a.best_gradient);
    if (better) s.best_loss = loss == loss ? loss : -INFINITY;
    if (first) {
      s.step = a.step;
      measure(row, team, s);
    } else {
      s.since += 1;
    }
    s.turn += 1;
    if (!hit && s.since == a.every) check(row, team, s);
    if (team.leads()) {
      a.state[row] = s;
      a.done[row] = hit || padding ? 1 : 0;
    }
  }

 private:
  INOCULA_DEVICE void copy(std::int64_t row, const Team& team, const float* from, float* to) const {
    from += row * a.cols;
    to += row * a.cols;
    team.each(a.cols, [=](std::int64_t i) { to[i] = from[i]; });
  }

  /// Counts where the best differs from the image, and of these how many may still move on.
  INOCULA_DEVICE void measure(std::int64_t row, const Team& team, SparseApgdState& s) const {
    const float* const best = a.best + row * a.cols;
    const float* const clean = a.clean + row * a.cols;
    const float lo = a.lo, hi = a.hi;
    s.support = static_cast<std::int32_t>(
        team.sum(a.cols, [=](std::int64_t i) { return best[i] != clean[i] ? 1.0f : 0.0f; }));
    const double free = team.sum(a.cols, [=](std::int64_t i) {
      const float inside = best[i] > lo && best[i] < hi ? 1.0f : 0.0f;
      return best[i] != clean[i] ? inside : 0.0f;
    });
    const float count = static_cast<float>(free) / kDivisor;
    s.count = count > 1 ? static_cast<std::int32_t>(count) : 1;
  }

  INOCULA_DEVICE void check(std::int64_t row, const Team& team, SparseApgdState& s) const {
    const float before = static_cast<float>(s.support);
    measure(row, team, s);
    const bool sparser = static_cast<float>(s.support) < kSparser * before;
    const float shorter = s.step / kDivisor, least = kLeastStep * a.step;
    s.step = sparser ? a.step : shorter > least ? shorter : least;
    s.since = 0;
    if (!sparser) return;
    copy(row, team, a.best, a.x);
    if (a.gradient != nullptr) copy(row, team, a.best_gradient, a.gradient);
  }
};

struct SparseApgdStepRow {
  SparseApgdStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.done[row] != 0) return;
    const SparseApgdState s = a.state[row];
    float* const x = a.x + row * a.cols;
    const SparseMove move(team, a.gradient + row * a.cols, x, a.cols, s.count, s.step, a.lo, a.hi);
    team.each(a.cols, [=](std::int64_t i) { x[i] += move(i); });
  }
};

}  // namespace

void sparse_apgd_look(const Queue& queue, const SparseApgdLook& args) {
  for_each_row(queue, args.rows, args.cols, SparseLookRow{args});
}

void sparse_apgd_step(const Queue& queue, const SparseApgdStep& args) {
  for_each_row(queue, args.rows, args.cols * kSparseMoveCost, SparseApgdStepRow{args});
}

INOCULA_END_TARGET
