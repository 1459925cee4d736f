// Bodies of the PGD steps.
#include "kernels/pgd_step.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

/// Below this the reciprocal overflows; such a gradient counts as zero and moves nothing.
constexpr float kSmallestGradient = 1e-37f;

struct StepLinf {
  PgdStep a;
  INOCULA_DEVICE void operator()(std::int64_t i) const {
    const float g = a.gradient[i];
    const float move = g > 0 ? a.alpha : (g < 0 ? -a.alpha : 0.0f);
    a.x[i] = project_linf(a.x[i] + move, a.clean[i], a.eps, a.lo, a.hi);
  }
};

struct StepL2 {
  PgdStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* g = a.gradient + row * a.cols;
    const float* clean = a.clean + row * a.cols;
    float* x = a.x + row * a.cols;
    // Confident networks give gradients of 1e-30, whose squares are 0 in float: measure in units of the
    // largest.
    const float peak = team.largest(a.cols, 0.0f, [=](std::int64_t i) { return fabsf(g[i]); });
    const float unit = peak > kSmallestGradient ? 1.0f / peak : 0.0f;
    const auto direction = [=](std::int64_t i) {
      const float v = unit * g[i];
      return v == v ? v : 0.0f;  // a NaN, or infinity times 0
    };
    const double squares_of_gradient = team.sum(a.cols, [=](std::int64_t i) {
      const double v = direction(i);
      return v * v;
    });
    const float step = unit > 0 ? static_cast<float>(a.alpha / sqrt(squares_of_gradient)) : 0.0f;
    const auto moved = [=](std::int64_t i) { return x[i] + step * direction(i); };
    // In double: the promise that the ball is kept rests on this sum.
    const double squares = team.sum(a.cols, [=](std::int64_t i) {
      const double delta = static_cast<double>(moved(i)) - clean[i];
      return delta * delta;
    });
    const float lo = a.lo, hi = a.hi;
    if (in_l2_ball(squares, a.eps)) {
      team.each(a.cols, [=](std::int64_t i) { x[i] = clip(moved(i), lo, hi); });
    } else {
      const float shrink = shrink_to_l2(squares, a.eps);
      team.each(a.cols, [=](std::int64_t i) {
        x[i] = clip(add_towards(clean[i], shrink * (moved(i) - clean[i])), lo, hi);
      });
    }
  }
};

}  // namespace

void pgd_step_linf(const Queue& queue, const PgdStep& args) {
  for_each(queue, args.rows * args.cols, StepLinf{args});
}

void pgd_step_l2(const Queue& queue, const PgdStep& args) {
  for_each_row(queue, args.rows, args.cols, StepL2{args});
}

INOCULA_END_TARGET
