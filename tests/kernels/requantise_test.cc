// Re-quantisation: every value a level, the nearest that the ball allows.
#include "kernels/requantise.h"

#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr std::int64_t kRows = 5;

/// Pixels of 8 bits.
std::vector<float> grey_levels(std::size_t n) {
  std::vector<float> clean;
  for (const float v : random_floats(n, 3, 0, 256)) clean.push_back(std::floor(v) / 255.0f);
  return clean;
}

/// Somewhere within the ball, up to its border.
std::vector<float> attacked(const std::vector<float>& clean, Distance norm, float eps, std::int64_t cols,
                            const std::vector<float>& scale) {
  std::vector<float> x;
  const std::vector<float> draw = random_floats(clean.size(), 4);
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto first = row * static_cast<std::size_t>(cols);
    double norm_of_draw = 0;
    for (std::size_t i = first; i < first + static_cast<std::size_t>(cols); ++i)
      norm_of_draw += norm == Distance::l2 ? double{draw[i]} * draw[i] : std::fabs(draw[i]);
    if (norm == Distance::l2) norm_of_draw = std::sqrt(norm_of_draw);
    if (norm == Distance::linf) norm_of_draw = 1;
    for (std::size_t i = first; i < first + static_cast<std::size_t>(cols); ++i)
      x.push_back(static_cast<float>(
          std::clamp(clean[i] + 0.999999 * eps * scale[row] * draw[i] / norm_of_draw, 0.0, 1.0)));
  }
  return x;
}

TEST_CASE("requantise: levels within the ball, none needlessly far from x") {
  const std::vector<float> scale = {1, 0.5f, 0, 3, 1.7f};
  for (const float levels : {255.0f, 65535.0f})
    for (const Distance norm : {Distance::linf, Distance::l2, Distance::l1, Distance::l0})
      for (const std::int64_t cols : {1, 16, 787})
        for (const bool bounded : {true, false}) {
          CAPTURE(levels);
          CAPTURE(static_cast<int>(norm));
          CAPTURE(cols);
          CAPTURE(bounded);
          const float eps = norm == Distance::linf ? 7.5f / 255 : norm == Distance::l2 ? 0.3f : 2.0f;
          const auto n = static_cast<std::size_t>(kRows * cols);
          const std::vector<float> clean = grey_levels(n), x = attacked(clean, norm, eps, cols, scale);
          const std::vector<float> y = same_everywhere([&](const Run& run) {
            Guarded<float> out(n, kNan);
            run.kernels.requantise(run.queue, {.x = x.data(),
                                               .clean = clean.data(),
                                               .y = out.data(),
                                               .eps_scale = scale.data(),
                                               .rows = kRows,
                                               .cols = cols,
                                               .levels = levels,
                                               .eps = bounded ? eps : kInfinity,
                                               .norm = norm});
            return Outputs{out.values()};
          })[0];
          // Clean floats are levels but for their rounding.
          const double half = 0.5 + 0.01 * levels / 65535;
          for (std::size_t row = 0; row < kRows; ++row) {
            double largest = 0, squares = 0, sum = 0, nearest_squares = 0, nearest_sum = 0;
            std::size_t off = 0;
            for (std::size_t i = row * static_cast<std::size_t>(cols), k = 0;
                 k < static_cast<std::size_t>(cols); ++i, ++k) {
              const double level = std::round(double{y[i]} * levels),
                           at = std::round(double{clean[i]} * levels);
              off += y[i] != clean[i] && y[i] != static_cast<float>(level / levels) ? 1 : 0;
              off += level == at && y[i] != clean[i] ? 1 : 0;
              off += level < 0 || level > levels ? 1 : 0;
              // Towards the clean pixel if not the nearest, and never a whole level short.
              const double wanted = double{x[i]} * levels, nearest = std::round(wanted);
              off += std::fabs(level - wanted) > 1 + 1e-4 * levels / 255 ? 1 : 0;
              const double d = std::fabs(level - at) / levels, d_nearest = std::fabs(nearest - at) / levels;
              if (!bounded || norm == Distance::l0) off += std::fabs(level - wanted) > half ? 1 : 0;
              if (norm == Distance::linf && bounded && d_nearest <= eps * scale[row])
                off += std::fabs(level - wanted) > half ? 1 : 0;
              largest = std::max(largest, d);
              squares += d * d;
              sum += d;
              nearest_squares += d_nearest * d_nearest;
              nearest_sum += d_nearest;
            }
            CHECK(off == 0);
            if (!bounded || norm == Distance::l0) continue;
            const double radius = double{eps} * scale[row], reached = norm == Distance::linf ? largest
                                                                      : norm == Distance::l2
                                                                          ? std::sqrt(squares)
                                                                          : sum;
            CHECK(reached <= radius * (1 + 2e-6));
            // Where the nearest levels lie inside, they are taken.
            if (norm == Distance::l2 && std::sqrt(nearest_squares) <= radius)
              CHECK(reached == doctest::Approx(std::sqrt(nearest_squares)));
            if (norm == Distance::l1 && nearest_sum <= radius) CHECK(reached == doctest::Approx(nearest_sum));
          }
        }
}

TEST_CASE(
    "requantise: a radius of whole levels loses none of them to rounding, and a NaN is the clean pixel") {
  for (const int eps : {1, 2, 4, 8, 16}) {
    std::vector<float> clean, x;
    for (int level = 0; level < 256; ++level)
      for (const int sign : {-1, 1}) {
        const auto from = static_cast<float>(level) / 255.0f;
        clean.push_back(from);
        const float radius = static_cast<float>(eps) / 255;
        x.push_back(std::clamp(std::nextafter(from + static_cast<float>(sign) * radius, from), 0.0f, 1.0f));
      }
    clean.push_back(0.2f);
    x.push_back(kNan);
    const std::vector<float> y = same_everywhere([&](const Run& run) {
      Guarded<float> out(x);
      run.kernels.requantise(run.queue, {.x = out.data(),
                                         .clean = clean.data(),
                                         .y = out.data(),
                                         .rows = 1,
                                         .cols = static_cast<std::int64_t>(x.size()),
                                         .eps = static_cast<float>(eps / 255.0)});
      return Outputs{out.values()};
    })[0];
    for (int level = 0; level < 256; ++level)
      for (const int sign : {-1, 1}) {
        const auto i = static_cast<std::size_t>(2 * level + (sign > 0 ? 1 : 0));
        CHECK(y[i] == static_cast<float>(std::clamp(level + sign * eps, 0, 255)) / 255.0f);
      }
    CHECK(y.back() == 0.2f);
  }
}

}  // namespace
}  // namespace inocula::test
