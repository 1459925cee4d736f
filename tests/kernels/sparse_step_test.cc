// Sparse steps: which coordinates move, by a plain sort, and by how much.
#include "kernels/sparse_step.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Problem {
  std::vector<float> x, gradient;
  std::int64_t rows = 0, cols = 0, count = 1;
  float alpha = 0;
};

/// Half of the pixels at a border, and gradients of few sizes, so that many are equal.
Problem random_problem(std::int64_t rows, std::int64_t cols, std::int64_t count, float alpha, unsigned seed) {
  const auto n = static_cast<std::size_t>(rows * cols);
  Problem p{random_floats(n, seed, 0, 1), random_floats(n, seed + 1), rows, cols, count, alpha};
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < n; ++i) {
    if (random() % 2 == 0) p.x[i] = random() % 2 == 0 ? 0.0f : 1.0f;
    if (seed % 2 == 0) p.gradient[i] = std::round(p.gradient[i] * 4) / 4;
    if (seed % 3 == 0) p.gradient[i] *= 1e-40f;
  }
  return p;
}

std::vector<float> step(const Problem& p) {
  return same_everywhere(
      [&](const Run& run) {
        Guarded<float> x(p.x);
        run.kernels.sparse_step(run.queue, {.x = x.data(),
                                            .gradient = p.gradient.data(),
                                            .rows = p.rows,
                                            .cols = p.cols,
                                            .count = p.count,
                                            .alpha = p.alpha});
        return Outputs{x.values()};
      },
      p.rows)[0];
}

std::vector<double> reference(const Problem& p) {
  std::vector<double> x = as_doubles(p.x);
  for (std::int64_t row = 0; row < p.rows; ++row) {
    const auto first = static_cast<std::size_t>(row * p.cols);
    const auto size = [&](std::size_t i) {
      const double g = std::fabs(double{p.gradient[first + i]});
      return std::isnan(g) ? 0.0 : g;
    };
    const auto up = [&](std::size_t i) { return (p.gradient[first + i] > 0) == (p.alpha > 0); };
    const auto has_room = [&](std::size_t i) { return up(i) ? p.x[first + i] < 1 : p.x[first + i] > 0; };
    std::vector<std::size_t> order(static_cast<std::size_t>(p.cols));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::erase_if(order, [&](std::size_t i) { return size(i) == 0 || !has_room(i); });
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return size(a) > size(b); });
    if (order.size() > static_cast<std::size_t>(p.count)) order.resize(static_cast<std::size_t>(p.count));
    if (order.empty()) continue;
    const double least = size(order.back()), part = std::fabs(p.alpha) / static_cast<double>(order.size());
    // What is at its border is pushed as well.
    for (std::size_t i = 0; i < static_cast<std::size_t>(p.cols); ++i)
      if (size(i) >= least && !has_room(i)) order.push_back(i);
    for (const std::size_t i : order) x[first + i] += up(i) ? part : -part;
  }
  return x;
}

TEST_CASE("sparse_step moves the largest that have room, ties from the lowest index, by equal parts") {
  for (const std::int64_t cols : {1, 2, 15, 64, 787, 3001})
    for (const std::int64_t count : {std::int64_t{1}, std::int64_t{2}, cols / 10 + 1, cols, 2 * cols})
      for (const float alpha : {0.5f, -3.0f})
        for (const unsigned seed : {11u, 12u, 13u, 18u}) {
          CAPTURE(cols);
          CAPTURE(count);
          const Problem p = random_problem(3, cols, count, alpha, seed);
          check_near(step(p), reference(p), 2e-7, 2e-7, "x");
        }
}

TEST_CASE("sparse_step: neither zeros nor NaN move, infinity does, and without a gradient nothing") {
  Problem p{{0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f}, {0.0f, -0.0f, kNan, 1e-45f, kInfinity, -1.0f}, 1, 6, 6, 3};
  CHECK(step(p) == std::vector<float>{0.5f, 0.5f, 0.5f, 1.5f, 1.5f, -0.5f});
  p.count = 1;
  CHECK(step(p) == std::vector<float>{0.5f, 0.5f, 0.5f, 0.5f, 3.5f, 0.5f});
  p.gradient = {0, 0, kNan, 0, 0, -0.0f};
  CHECK(step(p) == p.x);
}

}  // namespace
}  // namespace inocula::test
