// PGD steps: the mathematics, and the promise that the stored floats stay in the ball and in the pixel range.
#include <algorithm>
#include <cmath>

#include "kernels/project.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

/// Pixels are of order 1 and a step takes a handful of float roundings.
constexpr double kStepBound = 1e-6;

struct Attack {
  std::vector<float> x, gradient, clean;
  std::int64_t rows = 0, cols = 0;
  float alpha = 0, eps = 0;
};

Attack random_attack(std::int64_t rows, std::int64_t cols, float alpha, float eps, unsigned seed) {
  const std::size_t n = static_cast<std::size_t>(rows * cols);
  Attack a{{}, random_floats(n, seed), random_floats(n, seed + 1, 0, 1), rows, cols, alpha, eps};
  const std::vector<float> noise = random_floats(n, seed + 2, -eps, eps);
  // Half of the pixels at the ends of the range, as in an image with a black background.
  for (std::size_t i = 0; i < n; i += 2) a.clean[i] = i % 4 == 0 ? 0.0f : 1.0f;
  for (std::size_t i = 0; i < n; ++i)
    a.x.push_back(project_linf(a.clean[i] + noise[i], a.clean[i], eps, 0, 1));
  return a;
}

using Kernel = void (*KernelTable::*)(const Queue&, const PgdStep&);

std::vector<float> step(const Run& run, Kernel kernel, const Attack& a) {
  Guarded<float> x(a.x);
  (run.kernels.*kernel)(run.queue, {.x = x.data(),
                                    .gradient = a.gradient.data(),
                                    .clean = a.clean.data(),
                                    .rows = a.rows,
                                    .cols = a.cols,
                                    .alpha = a.alpha,
                                    .eps = a.eps});
  return x.values();
}

std::vector<float> step(Kernel kernel, const Attack& a) {
  return same_everywhere([&](const Run& run) { return Outputs{step(run, kernel, a)}; }, a.rows)[0];
}

double box(double v) {
  return std::clamp(v, 0.0, 1.0);
}

std::vector<double> reference_linf(const Attack& a) {
  std::vector<double> x;
  for (std::size_t i = 0; i < a.x.size(); ++i) {
    const double sign = a.gradient[i] > 0 ? 1 : (a.gradient[i] < 0 ? -1 : 0);
    const double delta = std::clamp(a.x[i] + sign * a.alpha - a.clean[i], -double{a.eps}, double{a.eps});
    x.push_back(box(a.clean[i] + delta));
  }
  return x;
}

std::vector<double> reference_l2(const Attack& a) {
  std::vector<double> x(a.x.size());
  const std::size_t cols = static_cast<std::size_t>(a.cols);
  for (std::size_t first = 0; first < x.size(); first += cols) {
    double squares = 0, moved = 0;
    for (std::size_t i = first; i < first + cols; ++i) squares += double{a.gradient[i]} * a.gradient[i];
    const double length = squares > 0 ? a.alpha / std::sqrt(squares) : 0;
    for (std::size_t i = first; i < first + cols; ++i) {
      x[i] = a.x[i] + length * a.gradient[i] - a.clean[i];
      moved += x[i] * x[i];
    }
    const double shrink = std::min(1.0, a.eps / std::sqrt(std::max(moved, 1e-300)));
    for (std::size_t i = first; i < first + cols; ++i) x[i] = box(a.clean[i] + shrink * x[i]);
  }
  return x;
}

/// Norm of x - clean of one row, in double on the stored floats.
double l2_distance(const std::vector<float>& x, const Attack& a, std::int64_t row) {
  double squares = 0;
  for (std::int64_t i = row * a.cols; i < (row + 1) * a.cols; ++i) {
    const std::size_t k = static_cast<std::size_t>(i);
    squares += (double{x[k]} - a.clean[k]) * (double{x[k]} - a.clean[k]);
  }
  return std::sqrt(squares);
}

bool in_box(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(), [](float v) { return v >= 0 && v <= 1; });
}

TEST_CASE("pgd_step_linf agrees with the double reference") {
  for (const std::int64_t cols : {1, 15, 784, 3001}) {
    const Attack a = random_attack(5, cols, 2 / 255.f, 8 / 255.f, 11);
    check_near(step(&KernelTable::pgd_step_linf, a), reference_linf(a), 0, kStepBound, "x");
    Attack targeted = a;
    targeted.alpha = -a.alpha;
    check_near(step(&KernelTable::pgd_step_linf, targeted), reference_linf(targeted), 0, kStepBound, "x");
  }
}

TEST_CASE("pgd_step_l2 agrees with the double reference") {
  for (const std::int64_t cols : {1, 15, 784, 3001}) {
    for (const float eps : {0.0f, 0.25f, 100.0f}) {
      const Attack a = random_attack(5, cols, 0.2f, eps, 12);
      check_near(step(&KernelTable::pgd_step_l2, a), reference_l2(a), 0, kStepBound, "x");
    }
  }
}

TEST_CASE("pgd_step_linf keeps |x - clean| <= eps and the box, exactly") {
  for (const float eps : {0.0f, 1e-6f, 1 / 255.f, 4 / 255.f, 0.3f, 1.0f}) {
    CAPTURE(eps);
    const Attack a = random_attack(100, 1000, eps, eps, 21);
    const std::vector<float> x = step(&KernelTable::pgd_step_linf, a);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, std::fabs(double{x[i]} - double{a.clean[i]}));
    CHECK(worst <= double{eps});
    CHECK(in_box(x));
  }
}

TEST_CASE("the projection reaches as far as floats allow, and is idempotent") {
  const std::vector<float> clean = random_floats(100000, 31, 0, 1);
  const std::vector<float> eps = random_floats(100000, 32, 0, 0.1f);
  bool idempotent = true, exact = true, tight = true;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    for (const float y : {-1.0f, 2.0f}) {
      const float p = project_linf(y, clean[i], eps[i], -1, 2);
      idempotent = idempotent && project_linf(p, clean[i], eps[i], -1, 2) == p;
      exact = exact && std::fabs(double{p} - clean[i]) <= eps[i];
      const float further = std::nextafter(p, y);
      tight = tight && std::fabs(double{further} - clean[i]) > eps[i];
    }
  }
  CHECK(idempotent);
  CHECK(exact);
  CHECK(tight);
}

TEST_CASE("pgd_step_linf: sign(0) is 0 and a NaN gradient leaves its pixel") {
  Attack a = random_attack(1, 4, 0.1f, 0.5f, 41);
  a.gradient = {0.0f, -0.0f, kNan, 1e-45f};
  const std::vector<float> x = step(&KernelTable::pgd_step_linf, a);
  CHECK(x[0] == a.x[0]);
  CHECK(x[1] == a.x[1]);
  CHECK(x[2] == a.x[2]);
  CHECK(x[3] > a.x[3]);
}

TEST_CASE("pgd_step_l2 keeps the norm, measured in double, and the box") {
  for (const float eps : {0.0f, 1e-6f, 4 / 255.f, 0.5f, 1.0f}) {
    for (const std::int64_t cols : {3, 784, 3072}) {
      CAPTURE(eps);
      CAPTURE(cols);
      const std::int64_t rows = 100000 / cols + 1;
      Attack a = random_attack(rows, cols, 2 * eps, eps, 51);
      // Equal steps everywhere are the worst case of a sum that rounds one way.
      for (std::int64_t i = 0; i < cols; ++i) a.gradient[static_cast<std::size_t>(i)] = 1;
      const std::vector<float> x = step(&KernelTable::pgd_step_l2, a);
      bool inside = true;
      for (std::int64_t row = 0; row < rows; ++row) inside = inside && l2_distance(x, a, row) <= double{eps};
      CHECK(inside);
      CHECK(in_box(x));
      Attack again = a;
      again.x = x;
      again.alpha = 0;
      CHECK(difference_in_bits({step(&KernelTable::pgd_step_l2, again)}, {x}) == "");
    }
  }
}

TEST_CASE("pgd_step_l2 keeps the norm where all differences are equal") {
  // The worst case of a sum: every addition rounds the same way.
  constexpr std::int64_t kCols = 1024;
  double worst = 0;
  for (int i = 0; i < 200; ++i) {
    const std::vector<float> clean(kCols, 0.0f);
    const float alpha = 1.0f + 0.01f * static_cast<float>(i);
    const Attack a{clean, std::vector<float>(kCols, 1.0f), clean, 1, kCols, alpha, 1.0f};
    const std::vector<float> x = step(runs().front(), &KernelTable::pgd_step_l2, a);
    worst = std::max(worst, l2_distance(x, a, 0));
  }
  CHECK(worst <= 1);
  CHECK(worst > 1 - 0x1p-19);
}

TEST_CASE("pgd_step_l2 does not depend on the gradient's scale") {
  const Attack a = random_attack(4, 784, 0.2f, 0.5f, 61);
  const std::vector<float> x = step(&KernelTable::pgd_step_l2, a);
  for (const float scale : {0x1p-100f, 0x1p100f, 1e-30f, 1e30f}) {
    Attack scaled = a;
    for (float& g : scaled.gradient) g *= scale;
    check_near(step(&KernelTable::pgd_step_l2, scaled), as_doubles(x), 0, kStepBound, "x");
  }
}

TEST_CASE("pgd_step_l2: gradients without a direction move nothing") {
  for (const float g : {0.0f, 1e-38f, kNan, kInfinity}) {
    CAPTURE(g);
    Attack a = random_attack(2, 100, 0.2f, 10.0f, 71);
    a.x = a.clean;
    std::fill(a.gradient.begin(), a.gradient.begin() + 100, g);
    const std::vector<float> x = step(&KernelTable::pgd_step_l2, a);
    CHECK(std::equal(x.begin(), x.begin() + 100, a.x.begin()));
    CHECK(!std::equal(x.begin() + 100, x.end(), a.x.begin() + 100));
  }
  Attack a = random_attack(1, 100, 0.2f, 10.0f, 72);
  a.gradient[7] = kNan;
  const std::vector<float> x = step(&KernelTable::pgd_step_l2, a);
  CHECK(x[7] == a.x[7]);
  CHECK(x[9] != a.x[9]);
}

TEST_CASE("a sample's step does not depend on its batch") {
  const Attack all = random_attack(64, 300, 0.1f, 0.5f, 81);
  for (const Kernel kernel : {&KernelTable::pgd_step_linf, &KernelTable::pgd_step_l2}) {
    const std::vector<float> together = step(kernel, all);
    for (const std::int64_t batch : {1, 7}) {
      std::vector<float> apart;
      for (std::int64_t first = 0; first < all.rows; first += batch) {
        const std::int64_t rows = std::min(batch, all.rows - first);
        const auto part = [&](const std::vector<float>& v) {
          return std::vector<float>(v.begin() + first * all.cols, v.begin() + (first + rows) * all.cols);
        };
        const Attack some{part(all.x), part(all.gradient), part(all.clean), rows,
                          all.cols,    all.alpha,          all.eps};
        const std::vector<float> x = step(kernel, some);
        apart.insert(apart.end(), x.begin(), x.end());
      }
      CHECK(difference_in_bits({together}, {apart}) == "");
    }
  }
}

TEST_CASE("accumulate_momentum: m <- decay m + g / ||g||_1, row by row, whatever the gradient's scale") {
  for (const std::int64_t cols : {1, 5, 784, 3000})
    for (const float scale : {1e-30f, 1.0f, 1e30f}) {
      CAPTURE(cols);
      CAPTURE(scale);
      constexpr std::int64_t kRows = 4;
      const auto n = static_cast<std::size_t>(kRows * cols);
      const std::vector<float> before = random_floats(n, 3);
      std::vector<float> g = random_floats(n, 4);
      for (float& v : g) v *= scale;
      for (std::size_t i = 0; i < static_cast<std::size_t>(cols); ++i)
        g[i] = 0;  // the first row's: nothing moves
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> m(before);
        run.kernels.accumulate_momentum(
            run.queue,
            {.momentum = m.data(), .gradient = g.data(), .rows = kRows, .cols = cols, .decay = 0.75f});
        return Outputs{m.values()};
      });
      std::vector<double> expected;
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t row = i / static_cast<std::size_t>(cols) * static_cast<std::size_t>(cols);
        double norm = 0;
        for (std::size_t j = row; j < row + static_cast<std::size_t>(cols); ++j) norm += std::fabs(g[j]);
        expected.push_back(0.75 * before[i] + (norm > 0 ? g[i] / norm : 0.0));
      }
      check_near(out[0], expected, 1e-6, 1e-6, "momentum");
    }
}

TEST_CASE("accumulate_momentum: a NaN counts as nothing, an infinite gradient adds nothing") {
  const std::vector<float> g = {kNan, 1, -3, /**/ kInfinity, 1, 1, /**/ 1e-38f, 0, 0};
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> m(std::vector<float>(9, 1.0f));
    run.kernels.accumulate_momentum(
        run.queue, {.momentum = m.data(), .gradient = g.data(), .rows = 3, .cols = 3, .decay = 0.5f});
    return Outputs{m.values()};
  });
  CHECK(out[0] == std::vector<float>{0.5f, 0.75f, -0.25f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f});
}

}  // namespace
}  // namespace inocula::test
