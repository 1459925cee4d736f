// Bodies of Auto-PGD.
#include "kernels/apgd.h"

#include "kernels/for_each.h"
#include "kernels/project.h"
#include "kernels/row_radius.h"
#include "kernels/scaled_gradient.h"

INOCULA_BEGIN_TARGET

namespace {

struct LookRow {
  ApgdLook a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.done[row] != 0) return;
    ApgdState s = a.state[row];
    const float loss = a.loss[row];
    const bool hit = a.hit[row] != 0, padding = a.sample[row] < 0, first = s.turn == 0;
    team.barrier();  // before the leader writes what all have read
    const bool better = first || loss > s.best_loss;
    if (better || hit) copy(row, team, a.x, a.best);
    if (better && a.gradient != nullptr) copy(row, team, a.gradient, a.best_gradient);
    if (first) {
      s.step = of_row(a.step, a.eps_scale, row);
      s.best_loss = s.checked_loss = loss == loss ? loss : -INFINITY;
      s.window = a.schedule.first;
      s.halved = 1;
    } else {
      s.rises += loss > s.loss ? 1 : 0;
      s.since += 1;
      if (better) s.best_loss = loss;
    }
    s.loss = loss;
    s.turn += 1;
    if (!hit && s.since == s.window) check(row, team, s);
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

  INOCULA_DEVICE void check(std::int64_t row, const Team& team, ApgdState& s) const {
    const bool oscillates = static_cast<float>(s.rises) <= a.schedule.share * static_cast<float>(s.window);
    const bool stuck = s.halved == 0 && s.checked_loss >= s.best_loss;
    s.halved = oscillates || stuck ? 1 : 0;
    s.checked_loss = s.best_loss;
    s.rises = s.since = 0;
    const std::int32_t shorter = s.window - a.schedule.decrease;
    s.window = shorter > a.schedule.least ? shorter : a.schedule.least;
    if (s.halved == 0) return;
    s.step *= 0.5f;
    copy(row, team, a.best, a.x);
    if (a.gradient != nullptr) copy(row, team, a.best_gradient, a.gradient);
  }
};

/// a of the steps after the first.
constexpr float kNewShare = 0.75f;

/// Where the momentum leads: x, moved on towards z and as before.
struct Momentum {
  float share;
  INOCULA_DEVICE explicit Momentum(const ApgdState& s) : share(s.turn <= 1 ? 1.0f : kNewShare) {}
  INOCULA_DEVICE float operator()(float x, float z, float previous) const {
    return x + share * (z - x) + (1.0f - share) * (x - previous);
  }
};

struct ApgdStepLinf {
  ApgdStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.done[row] != 0) return;
    const ApgdState s = a.state[row];
    const Momentum momentum(s);
    const float eps = of_row(a.eps, a.eps_scale, row), lo = a.lo, hi = a.hi, eta = s.step;
    const float* const g = a.gradient + row * a.cols;
    const float* const clean = a.clean + row * a.cols;
    float* const x = a.x + row * a.cols;
    float* const previous = a.previous + row * a.cols;
    team.each(a.cols, [=](std::int64_t i) {
      const float from = x[i];
      const float move = g[i] > 0 ? eta : (g[i] < 0 ? -eta : 0.0f);
      const float z = project_linf(from + move, clean[i], eps, lo, hi);
      x[i] = project_linf(momentum(from, z, previous[i]), clean[i], eps, lo, hi);
      previous[i] = from;
    });
  }
};

struct ApgdStepL2 {
  ApgdStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.done[row] != 0) return;
    const ApgdState s = a.state[row];
    const Momentum momentum(s);
    const float eps = of_row(a.eps, a.eps_scale, row), lo = a.lo, hi = a.hi;
    const float* const clean = a.clean + row * a.cols;
    float* const x = a.x + row * a.cols;
    float* const previous = a.previous + row * a.cols;
    const ScaledGradient direction(team, a.gradient + row * a.cols, a.cols);
    const float step = direction.of_length(team, a.cols, s.step);
    const auto moved = [=](std::int64_t i) { return x[i] + step * direction(i); };
    const float shrink = shrink_of(team, eps, clean, moved);
    const auto z = [=](std::int64_t i) { return inside(moved(i), clean[i], shrink, lo, hi); };
    const auto led = [=](std::int64_t i) { return momentum(x[i], z(i), previous[i]); };
    const float last_shrink = shrink_of(team, eps, clean, led);
    team.each(a.cols, [=](std::int64_t i) {
      const float from = x[i], to = inside(led(i), clean[i], last_shrink, lo, hi);
      previous[i] = from;
      x[i] = to;
    });
  }

 private:
  /// What brings y(i) - clean[i] into the ball; 1 where it is inside.
  template <class Y>
  INOCULA_DEVICE float shrink_of(const Team& team, float eps, const float* clean, const Y& y) const {
    const double squares = team.sum(a.cols, [=](std::int64_t i) {
      const double delta = static_cast<double>(y(i)) - clean[i];
      return delta * delta;
    });
    return in_l2_ball(squares, eps) ? 1.0f : shrink_to_l2(squares, eps);
  }

  INOCULA_DEVICE static float inside(float y, float clean, float shrink, float lo, float hi) {
    return clip(shrink == 1.0f ? y : add_towards(clean, shrink * (y - clean)), lo, hi);
  }
};

}  // namespace

void apgd_look(const Queue& queue, const ApgdLook& args) {
  for_each_row(queue, args.rows, args.cols, LookRow{args});
}

void apgd_step_linf(const Queue& queue, const ApgdStep& args) {
  for_each_row(queue, args.rows, args.cols, ApgdStepLinf{args});
}

void apgd_step_l2(const Queue& queue, const ApgdStep& args) {
  for_each_row(queue, args.rows, args.cols, ApgdStepL2{args});
}

INOCULA_END_TARGET
