// Random starts: inside the ball, distributed as said, and a function of seed, step, restart and image alone.
#include <algorithm>
#include <cmath>

#include "kernels/normal.h"
#include "kernels/project.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

using Kernel = void (*KernelTable::*)(const Queue&, const RandomStart&);

const Kernel kKernels[] = {&KernelTable::start_uniform_linf, &KernelTable::start_uniform_l2,
                           &KernelTable::start_sphere_l2,    &KernelTable::start_normal_linf,
                           &KernelTable::start_normal_l2,    &KernelTable::start_uniform_l1};

bool is_linf(Kernel kernel) {
  return kernel == &KernelTable::start_uniform_linf || kernel == &KernelTable::start_normal_linf;
}

struct Images {
  std::vector<float> clean;
  std::vector<std::int32_t> sample;
  std::int64_t rows = 0, cols = 0;
  float eps = 0;
  StepState state = {.seed = 5, .step = 3, .restart = 1};
  float deviation = 0.001f;
  std::vector<std::int32_t> restart = {};  ///< of each row; empty: none has one of its own
};

Images grey_images(std::int64_t rows, std::int64_t cols, float eps) {
  Images images{std::vector<float>(static_cast<std::size_t>(rows * cols), 0.5f), {}, rows, cols, eps};
  for (std::int64_t i = 0; i < rows; ++i) images.sample.push_back(static_cast<std::int32_t>(1000 + i));
  return images;
}

std::vector<float> start(const Run& run, Kernel kernel, const Images& images) {
  Guarded<float> x(images.clean.size(), kNan);
  (run.kernels.*kernel)(run.queue, {.x = x.data(),
                                    .clean = images.clean.data(),
                                    .sample = images.sample.data(),
                                    .state = &images.state,
                                    .restart = images.restart.empty() ? nullptr : images.restart.data(),
                                    .rows = images.rows,
                                    .cols = images.cols,
                                    .eps = images.eps,
                                    .deviation = images.deviation});
  return x.values();
}

std::vector<float> start(Kernel kernel, const Images& images) {
  return same_everywhere([&](const Run& run) { return Outputs{start(run, kernel, images)}; })[0];
}

double l2_distance(const std::vector<float>& x, const Images& images, std::int64_t row) {
  double squares = 0;
  for (std::int64_t i = row * images.cols; i < (row + 1) * images.cols; ++i) {
    const std::size_t k = static_cast<std::size_t>(i);
    squares += (double{x[k]} - images.clean[k]) * (double{x[k]} - images.clean[k]);
  }
  return std::sqrt(squares);
}

TEST_CASE("start_uniform_linf is the documented function of the draws") {
  for (const std::int64_t cols : {1, 2, 3, 4, 5, 62, 63, 64, 65, 127, 128, 787}) {
    const Images images = grey_images(3, cols, 8 / 255.f);
    std::vector<double> expected;
    for (const std::int32_t sample : images.sample)
      for (std::int64_t i = 0; i < cols; ++i)
        expected.push_back(0.5 + double{images.eps} * uniform_signed(draw(5, Draw::start, 1, 3,
                                                                          static_cast<std::uint32_t>(sample),
                                                                          static_cast<std::uint32_t>(i))));
    check_near(start(&KernelTable::start_uniform_linf, images), expected, 0, kFloatEpsilon, "x");
  }
}

TEST_CASE("start_uniform_linf has the bits of a draw that is projected") {
  for (const float eps : {0.0f, 1e-8f, 4 / 255.f, 1.0f, 3.0f}) {
    CAPTURE(eps);
    Images images = grey_images(5, 1001, eps);
    // Some pixels lie outside the box that they are moved into.
    images.clean = random_floats(images.clean.size(), 11, -0.25f, 1.25f);
    for (std::size_t i = 0; i < images.clean.size(); i += 7) images.clean[i] = i % 2 == 0 ? 0.0f : 1.0f;
    std::vector<float> expected;
    for (std::size_t row = 0; row < 5; ++row) {
      for (std::uint32_t i = 0; i < 1001; ++i) {
        const float clean = images.clean[expected.size()];
        const float u =
            uniform_signed(draw(5, Draw::start, 1, 3, static_cast<std::uint32_t>(images.sample[row]), i));
        expected.push_back(project_linf(clean + eps * u, clean, eps, 0, 1));
      }
    }
    CHECK(difference_in_bits({start(&KernelTable::start_uniform_linf, images)}, {expected}) == "");
  }
}

TEST_CASE("L2 starts are the documented functions of the draws") {
  for (const std::int64_t cols : {1, 2, 3, 4, 5, 62, 63, 64, 65, 127, 128, 787}) {
    for (const int spare : {0, 2}) {
      const Images images = grey_images(3, cols, 0.4f);
      std::vector<double> expected;
      for (const std::int32_t sample : images.sample) {
        const auto z = [&](std::int64_t i) {
          return double{normal(5, Draw::start, 1, 3, static_cast<std::uint32_t>(sample),
                               static_cast<std::uint32_t>(i))};
        };
        double squares = 0;
        for (std::int64_t i = 0; i < cols + spare; ++i) squares += z(i) * z(i);
        for (std::int64_t i = 0; i < cols; ++i) expected.push_back(0.5 + 0.4 * z(i) / std::sqrt(squares));
      }
      // Pixels are of order 1; the radius is held 2^-21 inside the ball.
      check_near(start(spare == 0 ? &KernelTable::start_sphere_l2 : &KernelTable::start_uniform_l2, images),
                 expected, 0, 0.4 * 0x1p-20, "x");
    }
  }
}

TEST_CASE("the start in the L1 ball is the documented function of the draws") {
  for (const std::int64_t cols : {1, 2, 3, 4, 5, 62, 63, 64, 65, 127, 128, 787}) {
    const Images images = grey_images(3, cols, 0.4f);
    std::vector<double> expected;
    for (const std::int32_t sample : images.sample) {
      const auto word = [&](std::int64_t i) {
        return draw(5, Draw::start, 1, 3, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(i));
      };
      const auto exponential = [&](std::int64_t i) { return -std::log(((word(i) >> 8) + 1) * 0x1p-24); };
      double sum = 0;
      for (std::int64_t i = 0; i <= cols; ++i) sum += exponential(i);
      for (std::int64_t i = 0; i < cols; ++i)
        expected.push_back(0.5 + (word(i) % 2 == 1 ? -0.4 : 0.4) * exponential(i) / sum);
    }
    check_near(start(&KernelTable::start_uniform_l1, images), expected, 0, 0.4 * 0x1p-19, "x");
  }
}

TEST_CASE("the start in the L1 ball keeps its sum, and is uniform") {
  constexpr std::int64_t kRows = 4000;
  const Images images = grey_images(kRows, 6, 0.4f);
  const std::vector<float> x = start(&KernelTable::start_uniform_l1, images);
  double mean_power = 0, first = 0;
  std::int64_t outside = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    double sum = 0;
    for (std::size_t i = 6 * row; i < 6 * row + 6; ++i) sum += std::fabs(double{x[i]} - 0.5);
    outside += sum > double{images.eps} ? 1 : 0;
    // Uniform in a ball of dimension d: (r / eps)^d is uniform on [0, 1].
    mean_power += std::pow(sum / 0.4, 6) / kRows;
    first += (x[6 * row] - 0.5) / kRows;
  }
  CHECK(outside == 0);
  CHECK(std::fabs(mean_power - 0.5) <= 4 * std::sqrt(1.0 / 12 / kRows));
  // A coordinate has variance 2 / ((d + 1) (d + 2)).
  CHECK(std::fabs(first) <= 4 * 0.4 * std::sqrt(2.0 / 56 / kRows));
}

TEST_CASE("normal starts are the documented functions of the draws, and end at the ball") {
  for (const std::int64_t cols : {1, 2, 5, 63, 64, 65, 787}) {
    for (const float eps : {0.4f, 1.5e-3f}) {  // with the smaller one some moves leave the ball
      const Images images = grey_images(3, cols, eps);
      std::vector<double> linf, l2;
      for (const std::int32_t sample : images.sample) {
        std::vector<double> move;
        double squares = 0;
        for (std::int64_t i = 0; i < cols; ++i) {
          move.push_back(0.001 * double{normal(5, Draw::start, 1, 3, static_cast<std::uint32_t>(sample),
                                               static_cast<std::uint32_t>(i))});
          squares += move.back() * move.back();
        }
        for (const double m : move) {
          linf.push_back(0.5 + std::clamp(m, -double{eps}, double{eps}));
          l2.push_back(0.5 + m * std::min(1.0, eps / std::sqrt(squares)));
        }
      }
      check_near(start(&KernelTable::start_normal_linf, images), linf, 0, 2 * kFloatEpsilon, "x");
      check_near(start(&KernelTable::start_normal_l2, images), l2, 0, 2 * kFloatEpsilon, "x");
    }
  }
}

TEST_CASE("starts keep the ball and the box exactly") {
  for (const float eps : {0.0f, 1e-6f, 4 / 255.f, 1.0f}) {
    CAPTURE(eps);
    Images images = grey_images(100, 1001, eps);
    images.clean = random_floats(images.clean.size(), 3, 0, 1);
    for (std::size_t i = 0; i < images.clean.size(); i += 3) images.clean[i] = i % 2 == 0 ? 0.0f : 1.0f;
    for (const Kernel kernel : kKernels) {
      const std::vector<float> x = start(kernel, images);
      CHECK(std::all_of(x.begin(), x.end(), [](float v) { return v >= 0 && v <= 1; }));
      bool inside = true;
      for (std::int64_t row = 0; row < images.rows; ++row)
        inside = inside && (is_linf(kernel) || l2_distance(x, images, row) <= double{eps});
      for (std::size_t i = 0; i < x.size(); ++i)
        inside = inside && std::fabs(double{x[i]} - images.clean[i]) <= eps;
      CHECK(inside);
    }
  }
}

TEST_CASE("starts are spread as their names say") {
  constexpr std::int64_t kRows = 4000;
  const double root = std::sqrt(static_cast<double>(kRows));
  const Images images = grey_images(kRows, 6, 0.4f);
  const std::vector<float> ball = start(&KernelTable::start_uniform_l2, images);
  const std::vector<float> sphere = start(&KernelTable::start_sphere_l2, images);
  double mean_power = 0, first = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    CHECK(std::fabs(l2_distance(sphere, images, row) / 0.4 - 1) <= 1e-5);
    // Uniform in a ball of dimension d: (r / eps)^d is uniform on [0, 1].
    mean_power += std::pow(l2_distance(ball, images, row) / 0.4, 6) / kRows;
    first += (ball[static_cast<std::size_t>(row * 6)] - 0.5) / kRows;
  }
  CHECK(std::fabs(mean_power - 0.5) <= 4 * std::sqrt(1.0 / 12) / root);
  // A coordinate of a uniform point of the unit ball has variance 1 / (d + 2).
  CHECK(std::fabs(first) <= 4 * 0.4 * std::sqrt(1.0 / 8) / root);
}

TEST_CASE("a start depends on seed, step, restart and image, not on the batch") {
  for (const Kernel kernel : kKernels) {
    const Images images = grey_images(64, 50, 0.1f);
    const std::vector<float> base = start(kernel, images);
    for (const int what : {0, 1, 2, 3}) {
      Images other = images;
      if (what == 0) other.state.seed += 1;
      if (what == 1) other.state.step += 1;
      if (what == 2) other.state.restart += 1;
      if (what == 3)
        for (std::int32_t& s : other.sample) s += 64;
      const std::vector<float> x = start(kernel, other);
      CHECK(!std::equal(x.begin(), x.begin() + 50, base.begin()));
    }
    for (std::size_t row : {std::size_t{0}, std::size_t{17}, std::size_t{63}}) {
      Images alone = grey_images(1, 50, 0.1f);
      alone.sample[0] = images.sample[row];
      const std::vector<float> x = start(kernel, alone);
      CHECK(std::equal(x.begin(), x.end(), base.begin() + static_cast<std::ptrdiff_t>(row * 50)));
    }
  }
}

TEST_CASE("a row's own restart counts from that of the run") {
  for (const Kernel kernel : kKernels) {
    Images images = grey_images(3, 50, 0.1f), later = images;
    images.restart = {0, 2, 5};
    const std::vector<float> x = start(kernel, images);
    for (std::size_t row = 0; row < 3; ++row) {
      later.state.restart = images.state.restart + static_cast<std::uint32_t>(images.restart[row]);
      const std::vector<float> expected = start(kernel, later);
      const auto first = static_cast<std::ptrdiff_t>(row * 50);
      CHECK(std::equal(x.begin() + first, x.begin() + first + 50, expected.begin() + first));
    }
  }
}

TEST_CASE("next_restart counts") {
  for (const Run& run : runs()) {
    StepState state;
    run.kernels.next_restart(run.queue, {&state});
    run.kernels.next_restart(run.queue, {&state});
    CHECK(state.restart == 2);
  }
}

}  // namespace
}  // namespace inocula::test
