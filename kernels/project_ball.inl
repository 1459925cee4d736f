// Bodies of the projections onto ball and box.
#include "kernels/project_ball.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/project.h"
#include "kernels/row_radius.h"

INOCULA_BEGIN_TARGET

namespace {

/// Turns after which the two ends of a bisection in [0, 1] are neighbours.
constexpr int kBisections = 60;

struct L1 {
  /// How far a difference moves of its size, for a parameter that rises with the norm.
  INOCULA_DEVICE static double shrunk(double size, double peak, double at) {
    const double left = size - (1 - at) * peak;
    return left > 0 ? left : 0.0;
  }
  INOCULA_DEVICE static double measure(double size) { return size; }
};

struct L2 {
  INOCULA_DEVICE static double shrunk(double size, double, double at) { return at * size; }
  INOCULA_DEVICE static double measure(double size) { return size * size; }
};

template <class Ball>
struct ProjectRow {
  ProjectBall a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t cols = a.cols;
    const float* const clean = a.clean + row * cols;
    float* const x = a.x + row * cols;
    const float lo = a.lo, hi = a.hi;
    const auto size_of = [=](std::int64_t i) {
      const double z = static_cast<double>(x[i]) - clean[i];
      return z == z ? fabs(z) : 0.0;
    };
    const auto room_of = [=](std::int64_t i) {
      return x[i] > clean[i] ? static_cast<double>(hi) - clean[i] : static_cast<double>(clean[i]) - lo;
    };
    const double radius = Ball::measure(of_row(a.eps, a.eps_scale, row)),
                 peak = team.largest(cols, 0.0, size_of);
    const auto norm_at = [=](double at) {
      return team.sum(cols, [=](std::int64_t i) {
        const double move = Ball::shrunk(size_of(i), peak, at), room = room_of(i);
        return Ball::measure(move < room ? move : room);
      });
    };
    if (norm_at(1) <= radius * (1.0 - 0x1p-40)) {
      team.each(cols, [=](std::int64_t i) { x[i] = x[i] == x[i] ? clip(x[i], lo, hi) : clean[i]; });
      return;
    }
    // Rounding to float towards the image, after a product with a factor below 1, keeps the sum inside.
    const double inside = radius * Ball::measure(kInsideBall);
    double under = 0, over = 1;
    for (int turn = 0; turn < kBisections; ++turn) {
      const double middle = 0.5 * (under + over);
      (norm_at(middle) <= inside ? under : over) = middle;
    }
    const double at = under;
    team.each(cols, [=](std::int64_t i) {
      const double move = Ball::shrunk(size_of(i), peak, at), room = room_of(i);
      const double length = move < room ? move : room;
      const auto delta = static_cast<float>(x[i] > clean[i] ? length : -length);
      x[i] = clip(add_towards(clean[i], delta), lo, hi);
    });
  }
};

/// Passes over a row.
constexpr std::int64_t kProjectCost = kBisections;

}  // namespace

void project_l1(const Queue& queue, const ProjectBall& args) {
  for_each_row(queue, args.rows, args.cols * kProjectCost, ProjectRow<L1>{args});
}

void project_l2(const Queue& queue, const ProjectBall& args) {
  for_each_row(queue, args.rows, args.cols * kProjectCost, ProjectRow<L2>{args});
}

INOCULA_END_TARGET
