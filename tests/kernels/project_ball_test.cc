// Projections onto ball and box: feasible, idempotent, and nearest against independent solutions.
#include "kernels/project_ball.h"

#include <algorithm>
#include <cmath>

#include "kernels/project.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

enum class Ball { l1, l2 };

struct Point {
  std::vector<float> x, clean;
  float eps = 0;
};

Point random_point(std::mt19937& random, std::size_t n, Ball ball) {
  std::uniform_real_distribution<float> unit(0, 1);
  Point p;
  const float spread = random() % 3 == 0 ? 0.1f : 2.0f;
  for (std::size_t i = 0; i < n; ++i) {
    const unsigned kind = random() % 6;
    p.clean.push_back(kind == 0 ? 0.0f : kind == 1 ? 1.0f : unit(random));
    p.x.push_back(random() % 6 == 0 ? p.clean[i] : p.clean[i] + spread * (2 * unit(random) - 1));
  }
  const float size = ball == Ball::l1 ? static_cast<float>(n) : std::sqrt(static_cast<float>(n));
  p.eps = random() % 50 == 0 ? 0.0f : unit(random) * unit(random) * size;
  return p;
}

/// The projection by walking the sorted breakpoints of the multiplier: between two of them the ball's
/// equation is linear (L1) or a pure quadratic (L2).
std::vector<double> sorted_projection(const Point& p, Ball ball) {
  const std::size_t n = p.x.size();
  std::vector<double> size(n), room(n), breaks = {0};
  for (std::size_t i = 0; i < n; ++i) {
    const double z = double{p.x[i]} - p.clean[i];
    size[i] = std::abs(z);
    room[i] = z > 0 ? 1 - double{p.clean[i]} : double{p.clean[i]};
    // L1: m, at which a difference leaves the box's border and reaches 0; L2: s, at which it reaches the
    // border.
    if (ball == Ball::l1) {
      breaks.push_back(size[i]);
      if (size[i] > room[i]) breaks.push_back(size[i] - room[i]);
    } else if (size[i] > room[i]) {
      breaks.push_back(room[i] / size[i]);
    }
  }
  if (ball == Ball::l2) breaks.push_back(1);
  std::sort(breaks.begin(), breaks.end());
  const double eps = p.eps;
  const auto length = [&](std::size_t i, double m) {
    return std::min(room[i], ball == Ball::l1 ? std::max(size[i] - m, 0.0) : m * size[i]);
  };
  const auto measure = [&](double m) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += ball == Ball::l1 ? length(i, m) : length(i, m) * length(i, m);
    return sum;
  };
  const double wanted = ball == Ball::l1 ? eps : eps * eps;
  double m = ball == Ball::l1 ? 0 : 1;
  if (measure(m) > wanted) {
    // The piece in which the equation is solved.
    std::size_t low = 0, high = breaks.size() - 1;
    while (high - low > 1) {
      const std::size_t middle = (low + high) / 2;
      ((measure(breaks[middle]) > wanted) == (ball == Ball::l1) ? low : high) = middle;
    }
    const double a = measure(breaks[low]), b = measure(breaks[high]);
    const double from = breaks[low], to = breaks[high];
    const double share = a == b ? 0 : (wanted - a) / (b - a);
    m = ball == Ball::l1 ? from + (to - from) * share
                         : std::sqrt(from * from + (to * to - from * from) * share);
  }
  std::vector<double> y(n);
  for (std::size_t i = 0; i < n; ++i)
    y[i] = p.clean[i] + (p.x[i] > p.clean[i] ? length(i, m) : -length(i, m));
  return y;
}

std::vector<float> project(const Run& run, Ball ball, const Point& p, const std::vector<float>& from) {
  Guarded<float> x(from);
  ProjectBall a;
  a.x = x.data();
  a.clean = p.clean.data();
  a.rows = 1;
  a.cols = static_cast<std::int64_t>(from.size());
  a.eps = p.eps;
  (ball == Ball::l1 ? run.kernels.project_l1 : run.kernels.project_l2)(run.queue, a);
  return x.values();
}

TEST_CASE(
    "project_l1, project_l2: 100,000 random projections each are feasible, idempotent and the nearest") {
  const Run run = runs().front();
  for (const Ball ball : {Ball::l1, Ball::l2}) {
    CAPTURE(static_cast<int>(ball));
    std::mt19937 random(6);
    double worst = 0;
    int moved = 0, outside = 0, restless = 0;
    for (int turn = 0; turn < 100000; ++turn) {
      const std::size_t n = turn % 2000 == 0 ? 200 + random() % 3000 : 1 + random() % 12;
      const Point p = random_point(random, n, ball);
      const std::vector<float> y = project(run, ball, p, p.x);
      const std::vector<double> expected = sorted_projection(p, ball);
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double d = std::abs(double{y[i]} - p.clean[i]);
        sum += ball == Ball::l1 ? d : d * d;
        outside += y[i] < 0 || y[i] > 1 ? 1 : 0;
        worst = std::max(worst, std::abs(y[i] - expected[i]));
      }
      outside += sum > (ball == Ball::l1 ? double{p.eps} : double{p.eps} * p.eps) ? 1 : 0;
      restless += project(run, ball, p, y) != y ? 1 : 0;
      moved += y != p.x ? 1 : 0;
    }
    CHECK(outside == 0);
    CHECK(restless == 0);
    CHECK(worst < 1e-5);
    CHECK(moved > 50000);
  }
}

TEST_CASE("project_linf: 100,000 random values go to the nearest of ball and box, and stay") {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> unit(0, 1);
  double worst = 0;
  int outside = 0, restless = 0;
  for (int turn = 0; turn < 100000; ++turn) {
    const unsigned kind = random() % 6;
    const float clean = kind == 0 ? 0.0f : kind == 1 ? 1.0f : unit(random), eps = unit(random) * unit(random);
    const float x = clean + 4 * unit(random) - 2, y = project_linf(x, clean, eps, 0, 1);
    // The interval's ends in double, where they are exact to 1e-16.
    const double expected =
        std::clamp(double{x}, std::max(0.0, double{clean} - eps), std::min(1.0, double{clean} + eps));
    worst = std::max(worst, std::abs(y - expected));
    outside += y < 0 || y > 1 || std::abs(double{y} - clean) > eps ? 1 : 0;
    restless += project_linf(y, clean, eps, 0, 1) != y ? 1 : 0;
  }
  CHECK(outside == 0);
  CHECK(restless == 0);
  CHECK(worst < 1e-7);
}

TEST_CASE("project_l1, project_l2: the same bits everywhere, NaN included") {
  std::mt19937 random(8);
  for (const Ball ball : {Ball::l1, Ball::l2})
    for (const std::size_t n : {1u, 7u, 12u, 300u, 2100u}) {
      Point p = random_point(random, n, ball);
      p.x[n / 2] = kNan;
      const Outputs out =
          same_everywhere([&](const Run& run) { return Outputs{project(run, ball, p, p.x)}; });
      CHECK(out[0][n / 2] == p.clean[n / 2]);
    }
}

}  // namespace
}  // namespace inocula::test
