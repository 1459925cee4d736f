// Bodies of the PGD steps.
#include "kernels/pgd_step.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/map_floats.h"
#include "kernels/project.h"
#include "kernels/row_radius.h"
#include "kernels/scaled_gradient.h"

INOCULA_BEGIN_TARGET

namespace {

struct StepLinf {
  float alpha, eps, lo, hi;
  /// v: x, its gradient, the clean pixel.
  INOCULA_DEVICE float operator()(const float* v) const {
    const float g = v[1];
    const float move = g > 0 ? alpha : (g < 0 ? -alpha : 0.0f);
    return project_linf(v[0] + move, v[2], eps, lo, hi);
  }
};

/// The same where each row has a radius of its own.
struct StepLinfRow {
  PgdStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const StepLinf step{of_row(a.alpha, a.eps_scale, row), of_row(a.eps, a.eps_scale, row), a.lo, a.hi};
    const float* const g = a.gradient + row * a.cols;
    const float* const clean = a.clean + row * a.cols;
    float* const x = a.x + row * a.cols;
    team.each(a.cols, [=](std::int64_t i) {
      const float v[3] = {x[i], g[i], clean[i]};
      x[i] = step(v);
    });
  }
};

struct StepL2 {
  PgdStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* g = a.gradient + row * a.cols;
    const float* clean = a.clean + row * a.cols;
    float* x = a.x + row * a.cols;
    const ScaledGradient direction(team, g, a.cols);
    const float eps = of_row(a.eps, a.eps_scale, row);
    const float step = direction.of_length(team, a.cols, of_row(a.alpha, a.eps_scale, row));
    const auto moved = [=](std::int64_t i) { return x[i] + step * direction(i); };
    // In double: the promise that the ball is kept rests on this sum.
    const double squares = team.sum(a.cols, [=](std::int64_t i) {
      const double delta = static_cast<double>(moved(i)) - clean[i];
      return delta * delta;
    });
    const float lo = a.lo, hi = a.hi;
    if (in_l2_ball(squares, eps)) {
      team.each(a.cols, [=](std::int64_t i) { x[i] = clip(moved(i), lo, hi); });
    } else {
      const float shrink = shrink_to_l2(squares, eps);
      team.each(a.cols, [=](std::int64_t i) {
        x[i] = clip(add_towards(clean[i], shrink * (moved(i) - clean[i])), lo, hi);
      });
    }
  }
};

struct MomentumRow {
  AccumulateMomentum a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    float* const m = a.momentum + row * a.cols;
    const float decay = a.decay;
    const ScaledGradient g(team, a.gradient + row * a.cols, a.cols);
    const double sum = team.sum(a.cols, [=](std::int64_t i) { return static_cast<double>(fabsf(g(i))); });
    const float share = g.unit > 0 ? static_cast<float>(1 / sum) : 0.0f;
    team.each(a.cols, [=](std::int64_t i) { m[i] = decay * m[i] + share * g(i); });
  }
};

}  // namespace

void pgd_step_linf(const Queue& queue, const PgdStep& args) {
  if (args.eps_scale != nullptr) return for_each_row(queue, args.rows, args.cols, StepLinfRow{args});
  map_floats(queue, MapFloats<3, StepLinf>{{args.alpha, args.eps, args.lo, args.hi},
                                           {args.x, args.gradient, args.clean},
                                           args.x,
                                           args.rows * args.cols});
}

void pgd_step_l2(const Queue& queue, const PgdStep& args) {
  for_each_row(queue, args.rows, args.cols, StepL2{args});
}

void accumulate_momentum(const Queue& queue, const AccumulateMomentum& args) {
  for_each_row(queue, args.rows, args.cols, MomentumRow{args});
}

INOCULA_END_TARGET
