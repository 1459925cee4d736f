// Body of the saliency map's step.
#include "kernels/saliency.h"

#include <cmath>

#include "kernels/arg_max.h"
#include "kernels/for_each.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

/// What a row's values promise, in signs that make theta positive.
struct Saliency {
  const float *x, *a, *b;
  float theta, lo, hi;

  INOCULA_DEVICE bool open(std::int64_t i) const {
    const bool room = theta > 0 ? x[i] < hi : x[i] > lo;
    return room && fabsf(a[i]) < INFINITY && fabsf(b[i]) < INFINITY;
  }
  INOCULA_DEVICE double gain(std::int64_t i) const { return theta > 0 ? double{a[i]} : -double{a[i]}; }
  INOCULA_DEVICE double loss(std::int64_t i) const { return theta > 0 ? -double{b[i]} : double{b[i]}; }
  /// -1 where not both are positive: sums of floats, their product is never rounded to 0.
  INOCULA_DEVICE static double product(double gains, double losses) {
    return gains > 0 && losses > 0 ? gains * losses : -1.0;
  }
  INOCULA_DEVICE double single(std::int64_t i) const { return open(i) ? product(gain(i), loss(i)) : -1.0; }
  INOCULA_DEVICE double pair(std::int64_t i, std::int64_t j) const {
    return i != j && open(j) ? product(gain(i) + gain(j), loss(i) + loss(j)) : -1.0;
  }
};

struct SaliencyRow {
  SaliencyStep a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const bool there = arg_max(a.logits + row * a.classes, a.classes) == a.target[row];
    const bool moved = !there && step(row, team);
    if (team.leads()) a.done[row] = moved && a.sample[row] >= 0 ? 0 : 1;
  }

 private:
  /// Answers the leader whether a value changed.
  INOCULA_DEVICE bool step(std::int64_t row, const Team& team) const {
    const std::int64_t begin = row * a.cols;
    float* const x = a.x + begin;
    const float* const clean = a.clean + begin;
    const double changed = team.sum(a.cols, [=](std::int64_t i) { return x[i] != clean[i] ? 1.0 : 0.0; });
    const Saliency s{x, a.toward + begin, a.others + begin, a.theta, a.lo, a.hi};
    std::int64_t taken[2] = {a.cols, a.cols};
    if (a.pairs != 0)
      choose_pair(s, team, taken);
    else
      choose_single(s, team, taken);
    if (!team.leads() || taken[0] >= a.cols) return false;
    double then = changed;
    for (const std::int64_t i : taken) then += i < a.cols && x[i] == clean[i] ? 1.0 : 0.0;
    if (then > static_cast<double>(a.most)) return false;
    for (const std::int64_t i : taken)
      if (i < a.cols) x[i] = clip(x[i] + a.theta, a.lo, a.hi);
    return true;
  }

  INOCULA_DEVICE void choose_single(const Saliency& s, const Team& team, std::int64_t* taken) const {
    const double best = team.largest(a.cols, 0.0, [=](std::int64_t i) { return s.single(i); });
    if (best > 0) taken[0] = team.first(a.cols, [=](std::int64_t i) { return s.single(i) == best; });
  }

  INOCULA_DEVICE void choose_pair(const Saliency& s, const Team& team, std::int64_t* taken) const {
    const std::int64_t cols = a.cols;
    const double none = -static_cast<double>(INFINITY);
    const auto gain = [=](std::int64_t i) { return s.open(i) ? s.gain(i) : none; };
    const auto loss = [=](std::int64_t i) { return s.open(i) ? s.loss(i) : none; };
    const double top_gain = team.largest(cols, none, gain), top_loss = team.largest(cols, none, loss);
    if (top_gain == none) return;
    const double top_single = team.largest(cols, 0.0, [=](std::int64_t i) { return s.single(i); });
    // The best pairs of the values that look best by themselves: what a pair has to reach.
    const auto best_with = [&](std::int64_t i) {
      return i < cols ? team.largest(cols, -1.0, [=](std::int64_t j) { return s.pair(i, j); }) : -1.0;
    };
    const double of_gain = best_with(team.first(cols, [=](std::int64_t i) { return gain(i) == top_gain; }));
    const double of_loss = best_with(team.first(cols, [=](std::int64_t i) { return loss(i) == top_loss; }));
    const double of_single =
        best_with(team.first(cols, [=](std::int64_t i) { return s.single(i) == top_single; }));
    double reached = of_gain > of_loss ? of_gain : of_loss;
    reached = of_single > reached ? of_single : reached;

    const auto best_after = [=](std::int64_t p) {
      if (!s.open(p)) return -1.0;
      const double bound = Saliency::product(s.gain(p) + top_gain, s.loss(p) + top_loss);
      if (bound < 0 || bound < reached) return -1.0;
      double best = -1.0;
      for (std::int64_t q = p + 1; q < cols; ++q) {
        const double found = s.pair(p, q);
        best = found > best ? found : best;
      }
      return best;
    };
    const double best = team.largest(cols, 0.0, best_after);
    if (!(best > 0)) return;
    const std::int64_t p = team.first(cols, [=](std::int64_t i) { return best_after(i) == best; });
    taken[0] = p;
    taken[1] = team.first(cols, [=](std::int64_t q) { return q > p && s.pair(p, q) == best; });
  }
};

}  // namespace

void saliency_step(const Queue& queue, const SaliencyStep& args) {
  // Some ten passes over a row, and all partners of the few values that are left.
  for_each_row(queue, args.rows, 32 * args.cols, SaliencyRow{args});
}

INOCULA_END_TARGET
