// Noise of a given similarity, against SSIM by its definition in double.
#include "kernels/ssim.h"

#include <cmath>

#include "tests/kernels/harness.h"
#include "tests/kernels/ssim_values.h"

namespace inocula::test {
namespace {

struct Size {
  std::int64_t channels, height, width;
};

/// Every window with its 11 x 11 weights at once.
double ssim_of(const Size& size, const float* x, const float* y) {
  const auto range = [](std::int64_t side) {
    return side >= 11 ? std::pair<std::int64_t, std::int64_t>{5, side - 6}
                      : std::pair<std::int64_t, std::int64_t>{0, side - 1};
  };
  const auto [top, bottom] = range(size.height);
  const auto [left, right] = range(size.width);
  double total = 0;
  std::int64_t windows = 0;
  for (std::int64_t c = 0; c < size.channels; ++c)
    for (std::int64_t i = top; i <= bottom; ++i)
      for (std::int64_t j = left; j <= right; ++j, ++windows) {
        double all = 0, mean_x = 0, mean_y = 0, var_x = 0, var_y = 0, both = 0;
        const auto over_window = [&](const auto& f) {
          for (std::int64_t u = std::max<std::int64_t>(0, i - 5); u <= std::min(size.height - 1, i + 5); ++u)
            for (std::int64_t v = std::max<std::int64_t>(0, j - 5); v <= std::min(size.width - 1, j + 5);
                 ++v) {
              const double distance = static_cast<double>((u - i) * (u - i) + (v - j) * (v - j));
              f(std::exp(-distance / 4.5), static_cast<std::size_t>((c * size.height + u) * size.width + v));
            }
        };
        over_window([&](double w, std::size_t at) { all += w, mean_x += w * x[at], mean_y += w * y[at]; });
        mean_x /= all, mean_y /= all;
        over_window([&](double w, std::size_t at) {
          var_x += w / all * (x[at] - mean_x) * (x[at] - mean_x);
          var_y += w / all * (y[at] - mean_y) * (y[at] - mean_y);
          both += w / all * (x[at] - mean_x) * (y[at] - mean_y);
        });
        total += (2 * mean_x * mean_y + 1e-4) * (2 * both + 9e-4) /
                 ((mean_x * mean_x + mean_y * mean_y + 1e-4) * (var_x + var_y + 9e-4));
      }
  return total / static_cast<double>(windows);
}

/// The answers, then what they reach.
Outputs match(const Size& size, const std::vector<float>& clean, const std::vector<float>& direction,
              const std::vector<std::int32_t>& sample, float target) {
  const auto rows = static_cast<std::int64_t>(sample.size());
  return same_everywhere([&](const Run& run) {
    Guarded<float> x(clean.size(), kNan), reached(sample.size(), kNan);
    Guarded<double> scratch(clean.size() * kSsimScratch);
    run.kernels.match_ssim(run.queue, {.x = x.data(),
                                       .clean = clean.data(),
                                       .direction = direction.data(),
                                       .sample = sample.data(),
                                       .scratch = scratch.data(),
                                       .reached = reached.data(),
                                       .rows = rows,
                                       .channels = size.channels,
                                       .height = size.height,
                                       .width = size.width,
                                       .target = target});
    return Outputs{x.values(), reached.values()};
  });
}

TEST_CASE("match_ssim: the similarity is what was asked for, by the definition of it") {
  const std::vector<std::int32_t> sample = {4, -1, 0};
  for (const Size& size : {Size{1, 14, 17}, Size{2, 12, 11}, Size{1, 7, 16}, Size{3, 5, 4}, Size{1, 1, 30}})
    for (const float target : {0.99f, 0.9f, 0.5f}) {
      CAPTURE(size.height);
      CAPTURE(size.width);
      CAPTURE(target);
      const auto cols = static_cast<std::size_t>(size.channels * size.height * size.width);
      const std::vector<float> clean = random_floats(3 * cols, 1, 0, 1),
                               direction = random_floats(3 * cols, 2);
      const Outputs out = match(size, clean, direction, sample, target);
      for (const std::size_t row : {std::size_t{0}, std::size_t{2}}) {
        const double found = ssim_of(size, clean.data() + row * cols, out[0].data() + row * cols);
        CHECK(std::abs(found - target) < 1e-3);
        CHECK(std::abs(found - out[1][row]) < 1e-6);
        // One scale for all pixels that are inside the range.
        double scale = 0;
        for (std::size_t i = row * cols; i < (row + 1) * cols; ++i) {
          CHECK(out[0][i] >= 0);
          CHECK(out[0][i] <= 1);
          if (out[0][i] == 0 || out[0][i] == 1 || std::abs(direction[i]) < 0.1f) continue;
          const double of_pixel = (double{out[0][i]} - clean[i]) / direction[i];
          if (scale == 0) scale = of_pixel;
          CHECK(of_pixel == doctest::Approx(scale).epsilon(1e-4));
        }
      }
      for (std::size_t i = cols; i < 2 * cols; ++i) CHECK(out[0][i] == clean[i]);
    }
}

TEST_CASE("match_ssim: where nothing moves the image stays, and is its own like") {
  const Size size{1, 12, 12};
  const std::vector<float> clean = random_floats(144, 1, 0, 1), direction(144, 0.0f);
  const Outputs out = match(size, clean, direction, {0}, 0.5f);
  CHECK(out[0] == clean);
  CHECK(out[1][0] == doctest::Approx(1));
}

TEST_CASE("the reference of match_ssim agrees with values computed elsewhere") {
  for (const SsimValue& v : kSsimValues) {
    std::vector<float> x, y;
    for (std::int64_t i = 0; i < v.height * v.width; ++i) {
      x.push_back(static_cast<float>((37 * i + 11 * i * i) % 101) / 100);
      y.push_back(static_cast<float>((37 * i + 11 * i * i + v.change * (i % 7)) % 101) / 100);
    }
    CHECK(ssim_of({1, v.height, v.width}, x.data(), y.data()) == doctest::Approx(v.ssim).epsilon(1e-5));
  }
}

}  // namespace
}  // namespace inocula::test
