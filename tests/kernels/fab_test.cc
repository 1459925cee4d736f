// FAB's kernels against double references; its projection against one that sorts.
#include "kernels/fab.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/hyperplane.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr Distance kNorms[] = {Distance::linf, Distance::l2, Distance::l1};

double norm_of_move(Distance norm, const std::vector<double>& d) {
  double largest = 0, squares = 0, sum = 0;
  for (const double v : d) {
    largest = std::max(largest, std::abs(v));
    squares += v * v;
    sum += std::abs(v);
  }
  return norm == Distance::linf ? largest : norm == Distance::l2 ? std::sqrt(squares) : sum;
}

/// The least move to <w, d> = -residual inside the box, by sorting the multipliers at which coordinates run
/// out of room (linf, l2), or the slopes (l1).
std::vector<double> sorted_move(Distance norm, const std::vector<float>& w, const std::vector<float>& x,
                                double residual) {
  const std::size_t n = w.size();
  std::vector<double> room(n), size(n), end(n), length(n);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < n; ++i) {
    size[i] = std::abs(double{w[i]});
    room[i] = (w[i] > 0) == (residual > 0) ? double{x[i]} : 1 - double{x[i]};
    if (size[i] == 0) continue;
    order.push_back(i);
    end[i] = norm == Distance::l1 ? -size[i] : norm == Distance::l2 ? room[i] / size[i] : room[i];
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return end[a] < end[b]; });
  const auto pace = [&](std::size_t i) { return norm == Distance::l2 ? size[i] : 1.0; };
  // What is left of sums after their largest terms counts: nothing may cancel.
  long double left = std::abs(residual);
  if (norm == Distance::l1) {
    for (const std::size_t i : order) {
      length[i] = static_cast<double>(std::min<long double>(room[i], left / size[i]));
      left -= static_cast<long double>(length[i]) * size[i];
    }
  } else {
    std::vector<long double> slope(order.size() + 1);
    for (std::size_t k = order.size(); k > 0; --k)
      slope[k - 1] = slope[k] + static_cast<long double>(size[order[k - 1]]) * pace(order[k - 1]);
    long double multiplier = std::numeric_limits<long double>::infinity();
    for (std::size_t k = 0; k < order.size(); ++k) {
      if (left <= end[order[k]] * slope[k]) {
        multiplier = left / slope[k];
        break;
      }
      left -= static_cast<long double>(size[order[k]]) * room[order[k]];
    }
    for (const std::size_t i : order)
      length[i] = static_cast<double>(std::min<long double>(room[i], multiplier * pace(i)));
  }
  std::vector<double> d(n);
  for (std::size_t i = 0; i < n; ++i) d[i] = (w[i] > 0) == (residual > 0) ? -length[i] : length[i];
  return d;
}

struct Plane {
  std::vector<float> w, x;
  double residual = 0;
};

/// Weights of several sizes, some 0, some alike; pixels on the border; planes near, far and out of reach.
Plane random_plane(std::mt19937& random, std::size_t n) {
  std::uniform_real_distribution<float> unit(0, 1);
  Plane p;
  double reach = 0;
  const bool coarse = random() % 4 == 0;
  for (std::size_t i = 0; i < n; ++i) {
    float w = 2 * unit(random) - 1;
    if (coarse) w = std::round(2 * w) / 2;
    if (random() % 8 == 0) w *= 1e-4f;
    if (random() % 8 == 0) w = 0;
    const unsigned kind = random() % 6;
    p.w.push_back(w);
    p.x.push_back(kind == 0 ? 0.0f : kind == 1 ? 1.0f : unit(random));
    reach += std::abs(w);
  }
  p.residual = (random() % 2 == 0 ? 1 : -1) * reach * unit(random) * (random() % 8 == 0 ? 1.2 : 0.5);
  return p;
}

TEST_CASE("hyperplane: 100,000 random moves are those that sorting finds") {
  std::mt19937 random(5);
  double worst = 0, farthest = 0;
  int beyond = 0, inside = 0;
  for (int turn = 0; turn < 33400; ++turn) {
    const std::size_t n = turn % 200 == 0 ? 500 + random() % 2000 : 1 + random() % 12;
    const Plane p = random_plane(random, n);
    for (const Distance norm : kNorms) {
      const HyperplaneMove move(Team{}, norm, p.w.data(), p.x.data(), static_cast<std::int64_t>(n),
                                p.residual, 0, 1);
      const std::vector<double> expected = sorted_move(norm, p.w, p.x, p.residual);
      std::vector<double> d;
      double reached = p.residual, reachable = p.residual;
      bool in_box = true;
      for (std::size_t i = 0; i < n; ++i) {
        d.push_back(move(p.w[i], p.x[i]));
        reached += p.w[i] * d[i];
        reachable += p.w[i] * expected[i];
        in_box = in_box && p.x[i] + d[i] >= 0 && p.x[i] + d[i] <= 1;
        // Which of several equal slopes moves is open in L1.
        if (norm != Distance::l1) worst = std::max(worst, std::abs(d[i] - expected[i]));
      }
      REQUIRE(in_box);
      worst = std::max(worst, std::abs(norm_of_move(norm, d) - norm_of_move(norm, expected)));
      farthest = std::max(farthest, std::abs(reached - reachable));
      ++(std::abs(reachable) > 1e-6 ? beyond : inside);
    }
  }
  CHECK(worst < 1e-7);
  CHECK(farthest < 1e-9);
  CHECK(beyond > 2000);
  CHECK(inside > 50000);
}

/// Rows of planes with their clean images.
struct Rows {
  std::int64_t rows = 6, cols = 0;
  std::vector<float> x, clean, w, margin;

  Rows(std::int64_t n, unsigned seed) : cols(n) {
    std::mt19937 random(seed);
    for (std::int64_t row = 0; row < rows; ++row) {
      const Plane p = random_plane(random, static_cast<std::size_t>(n)),
                  other = random_plane(random, static_cast<std::size_t>(n));
      x.insert(x.end(), p.x.begin(), p.x.end());
      clean.insert(clean.end(), other.x.begin(), other.x.end());
      w.insert(w.end(), p.w.begin(), p.w.end());
      margin.push_back(static_cast<float>(p.residual));
    }
  }
};

TEST_CASE("fab_step: the mean of the steps from x and from the clean image") {
  for (const Distance norm : kNorms)
    for (const std::int64_t cols : {1, 5, 40, 3000})
      for (const float alpha_max : {0.0f, 0.1f, 1.0f}) {
        CAPTURE(static_cast<int>(norm));
        CAPTURE(cols);
        CAPTURE(alpha_max);
        Rows in(cols, 8);
        // Slopes that differ, so that L1 has one answer.
        const std::vector<float> noise = random_floats(in.w.size(), 9, 0.9f, 1.1f);
        for (std::size_t i = 0; i < in.w.size(); ++i) in.w[i] *= noise[i];
        std::vector<double> expected;
        for (std::int64_t row = 0; row < in.rows; ++row) {
          const auto slice = [&](const std::vector<float>& v) {
            return std::vector<float>(v.begin() + row * cols, v.begin() + (row + 1) * cols);
          };
          const std::vector<float> x = slice(in.x), clean = slice(in.clean), w = slice(in.w);
          const double margin = in.margin[static_cast<std::size_t>(row)];
          double between = 0;
          for (std::size_t i = 0; i < x.size(); ++i) between += double{w[i]} * (double{clean[i]} - x[i]);
          const std::vector<double> d1 = sorted_move(norm, w, x, margin),
                                    d2 = sorted_move(norm, w, clean, margin + between);
          const double n1 = std::max(1e-8, norm_of_move(norm, d1)),
                       n2 = std::max(1e-8, norm_of_move(norm, d2));
          const double a = std::min(n1 / (n1 + n2), double{alpha_max}), eta = double{1.05f};
          for (std::size_t i = 0; i < x.size(); ++i)
            expected.push_back(
                std::clamp((1 - a) * (x[i] + eta * d1[i]) + a * (clean[i] + eta * d2[i]), 0.0, 1.0));
        }
        const Outputs out = same_everywhere([&](const Run& run) {
          Guarded<float> x(in.x);
          FabStep a;
          a.x = x.data();
          a.clean = in.clean.data();
          a.gradient = in.w.data();
          a.margin = in.margin.data();
          a.rows = in.rows;
          a.cols = cols;
          a.alpha_max = alpha_max;
          a.eta = 1.05f;
          a.norm = norm;
          run.kernels.fab_step(run.queue, a);
          return Outputs{x.values()};
        });
        check_near(out[0], expected, 0, 3e-7, "x");
      }
}

TEST_CASE("fab_step: gradients of nothing, of NaN and of confident networks") {
  for (const Distance norm : kNorms) {
    CAPTURE(static_cast<int>(norm));
    const std::vector<float> clean(12, 0.5f);
    const std::vector<float> w = {0, 0, 0, kNan, 1, 1, 1e-30f, -2e-30f, 0, kInfinity, 0, 0};
    const std::vector<float> margin = {-1, -0.25f, -0.25e-30f, kNan};
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> x(clean);
      FabStep a;
      a.x = x.data();
      a.clean = clean.data();
      a.gradient = w.data();
      a.margin = margin.data();
      a.rows = 4;
      a.cols = 3;
      a.norm = norm;
      run.kernels.fab_step(run.queue, a);
      return Outputs{x.values()};
    });
    for (const std::size_t still : {0u, 1u, 2u, 3u, 8u, 9u, 10u, 11u}) CHECK(out[0][still] == 0.5f);
    CHECK(double{out[0][4]} + out[0][5] - 1 == doctest::Approx(0.25));
    CHECK((double{out[0][6]} - 0.5) - 2 * (double{out[0][7]} - 0.5) == doctest::Approx(0.25).epsilon(1e-5));
  }
}

TEST_CASE("keep_boundary: the nearest in the dual norm") {
  for (const Distance norm : kNorms) {
    constexpr std::int64_t kCols = 700;
    const std::vector<float> gradient = random_floats(3 * kCols, 4), margin = {-0.5f, 2.0f, 0.25f};
    std::vector<double> distance;
    for (std::size_t row = 0; row < 3; ++row) {
      const std::vector<double> g(gradient.begin() + static_cast<std::ptrdiff_t>(row) * kCols,
                                  gradient.begin() + static_cast<std::ptrdiff_t>(row + 1) * kCols);
      const Distance dual = norm == Distance::linf ? Distance::l1
                            : norm == Distance::l1 ? Distance::linf
                                                   : Distance::l2;
      distance.push_back(std::abs(margin[row]) / norm_of_move(dual, g));
    }
    const std::vector<float> before = {kInfinity, static_cast<float>(distance[1] * 0.99),
                                       static_cast<float>(distance[2] * 1.01)};
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> kept(gradient.size(), 9.0f), kept_margin(3, 9.0f), kept_distance(before);
      KeepBoundary a;
      a.gradient = gradient.data();
      a.margin = margin.data();
      a.kept_gradient = kept.data();
      a.kept_margin = kept_margin.data();
      a.distance = kept_distance.data();
      a.rows = 3;
      a.cols = kCols;
      a.norm = norm;
      run.kernels.keep_boundary(run.queue, a);
      return Outputs{kept.values(), kept_margin.values(), kept_distance.values()};
    });
    CHECK(out[1] == std::vector<float>{-0.5f, 9.0f, 0.25f});
    check_near(out[2], {distance[0], before[1], distance[2]}, 1e-6, 0, "distance");
    for (std::size_t i = 0; i < gradient.size(); ++i)
      CHECK(out[0][i] == (i / kCols == 1 ? 9.0f : gradient[i]));
  }
}

TEST_CASE("fab_start: the image itself, and in other runs an image at the radius") {
  for (const Distance norm : kNorms)
    for (const std::int64_t cols : {1, 63, 800}) {
      const std::vector<float> clean(static_cast<std::size_t>(3 * cols), 0.5f);
      const std::vector<std::int32_t> sample = {4, 5, 6};
      std::vector<std::vector<float>> found;
      for (const std::uint32_t restart : {0u, 1u, 2u})
        found.push_back(same_everywhere([&](const Run& run) {
          const StepState state = {.seed = 3, .step = 1, .restart = restart};
          Guarded<float> x(clean.size(), kNan);
          FabStart a;
          a.x = x.data();
          a.clean = clean.data();
          a.sample = sample.data();
          a.state = &state;
          a.rows = 3;
          a.cols = cols;
          a.radius = 0.25f;
          a.norm = norm;
          run.kernels.fab_start(run.queue, a);
          return Outputs{x.values()};
        })[0]);
      CHECK(found[0] == clean);
      if (cols > 1) CHECK(found[1] != found[2]);
      for (std::int64_t row = 0; row < 3; ++row) {
        std::vector<double> d;
        for (std::int64_t i = row * cols; i < (row + 1) * cols; ++i)
          d.push_back(double{found[1][static_cast<std::size_t>(i)]} - 0.5);
        CHECK(norm_of_move(norm, d) == doctest::Approx(0.25).epsilon(1e-4));
      }
    }
}

TEST_CASE("fab_retreat: rows that hit go back, and none leaves the box") {
  const std::vector<float> clean = {0.5f, 0.1f, 0.5f, 0.1f}, from = {0.75f, 1.0f, 0.75f, 1.0f};
  const std::vector<std::int32_t> hit = {1, 0};
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> x(from);
    FabRetreat a;
    a.x = x.data();
    a.clean = clean.data();
    a.hit = hit.data();
    a.rows = 2;
    a.cols = 2;
    a.beta = 0.5f;
    run.kernels.fab_retreat(run.queue, a);
    return Outputs{x.values()};
  });
  check_near(out[0], {0.625, 0.55, 0.75, 1}, 1e-7, 0, "x");
}

}  // namespace
}  // namespace inocula::test
