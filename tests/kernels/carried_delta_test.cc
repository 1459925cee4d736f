// A carried perturbation: the images it makes, the step it takes, and the bounds of both after rounding.
#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

/// Pixels are of order 1; a sum and a comparison round once each.
constexpr double kBound = 2 * kFloatEpsilon;

/// Half of the pixels at the ends of the range, as in an image with a black background.
std::vector<float> images(std::size_t size, unsigned seed) {
  std::vector<float> clean = random_floats(size, seed, 0, 1);
  for (std::size_t i = 0; i < size; i += 2) clean[i] = i % 4 == 0 ? 0.0f : 1.0f;
  return clean;
}

std::vector<float> perturb(const std::vector<float>& clean, const std::vector<float>& delta, float eps) {
  return same_everywhere([&](const Run& run) {
    Guarded<float> x(clean.size(), kNan);
    run.kernels.add_delta(run.queue, {.x = x.data(),
                                      .clean = clean.data(),
                                      .delta = delta.data(),
                                      .size = static_cast<std::int64_t>(clean.size()),
                                      .eps = eps});
    return Outputs{x.values()};
  })[0];
}

std::vector<float> ascend(const std::vector<float>& delta, const std::vector<float>& gradient, float eps) {
  return same_everywhere([&](const Run& run) {
    Guarded<float> moved(delta);
    run.kernels.ascend_delta_linf(
        run.queue, {moved.data(), gradient.data(), static_cast<std::int64_t>(delta.size()), eps});
    return Outputs{moved.values()};
  })[0];
}

TEST_CASE("add_delta agrees with the double reference, and keeps the ball and the box exactly") {
  for (const std::size_t size : {1, 7, 8, 9, 784, 10007})
    for (const float eps : {1e-6f, 1 / 255.f, 8 / 255.f, 0.3f, 1.0f}) {
      CAPTURE(size);
      CAPTURE(eps);
      const std::vector<float> clean = images(size, 3);
      std::vector<float> delta = random_floats(size, 4, -eps, eps);
      for (std::size_t i = 0; i < size; i += 3) delta[i] = i % 2 == 0 ? eps : -eps;
      const std::vector<float> x = perturb(clean, delta, eps);
      std::vector<double> expected;
      for (std::size_t i = 0; i < size; ++i)
        expected.push_back(std::clamp(double{clean[i]} + delta[i], 0.0, 1.0));
      check_near(x, expected, 0, kBound, "x");
      bool inside = true;
      for (std::size_t i = 0; i < size; ++i)
        inside = inside && std::fabs(double{x[i]} - clean[i]) <= eps && x[i] >= 0 && x[i] <= 1;
      CHECK(inside);
    }
}

TEST_CASE("add_delta: no perturbation gives the images, bit for bit") {
  const std::vector<float> clean = images(1001, 5);
  CHECK(difference_in_bits({perturb(clean, std::vector<float>(clean.size(), 0.0f), 0.1f)}, {clean}) == "");
}

TEST_CASE("ascend_delta_linf agrees with the double reference and never leaves [-eps, eps]") {
  for (const std::size_t size : {1, 7, 8, 9, 784, 10007})
    for (const float eps : {1e-6f, 8 / 255.f, 1.0f}) {
      CAPTURE(size);
      CAPTURE(eps);
      std::vector<float> delta = random_floats(size, 6, -eps, eps);
      for (std::size_t i = 0; i < size; i += 3) delta[i] = i % 2 == 0 ? eps : -eps;
      const std::vector<float> gradient = random_floats(size, 7, -1e-20f, 1e-20f);
      const std::vector<float> moved = ascend(delta, gradient, eps);
      std::vector<double> expected;
      for (std::size_t i = 0; i < size; ++i)
        expected.push_back(
            std::clamp(delta[i] + (gradient[i] > 0 ? 1 : -1) * double{eps}, -double{eps}, double{eps}));
      check_near(moved, expected, 0, eps * kBound, "delta");
      CHECK(std::all_of(moved.begin(), moved.end(), [=](float v) { return v >= -eps && v <= eps; }));
    }
}

TEST_CASE("ascend_delta_linf: sign(0) is 0 and a NaN gradient leaves its element") {
  const std::vector<float> delta = {0.05f, -0.05f, 0.02f, 0.0f, 0.0f};
  const std::vector<float> moved = ascend(delta, {0.0f, -0.0f, kNan, 1e-45f, -kInfinity}, 0.1f);
  CHECK(moved == std::vector<float>{0.05f, -0.05f, 0.02f, 0.1f, -0.1f});
}

}  // namespace
}  // namespace inocula::test
