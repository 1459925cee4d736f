// Distances of adversarial images and the count of vanished gradients.
#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

TEST_CASE("measure_perturbation agrees with plain loops in double") {
  for (const std::int64_t cols : {1, 17, 784, 3001}) {
    constexpr std::int64_t kRows = 5;
    const std::size_t n = static_cast<std::size_t>(kRows * cols);
    const std::vector<float> clean = random_floats(n, 1, 0, 1);
    std::vector<float> x = random_floats(n, 2, 0, 1);
    for (std::size_t i = 0; i < n; i += 3) x[i] = clean[i];
    std::vector<PerturbationNorm> first;
    for (const Run& run : runs()) {
      Guarded<PerturbationNorm> guarded(kRows);
      run.kernels.measure_perturbation(run.queue, {x.data(), clean.data(), guarded.data(), kRows, cols});
      const std::vector<PerturbationNorm> norm = guarded.values();
      if (first.empty()) first = norm;
      for (std::size_t row = 0; row < kRows; ++row) {
        PerturbationNorm expected{.lowest = 2, .highest = -1};
        for (std::size_t i = row * static_cast<std::size_t>(cols);
             i < (row + 1) * static_cast<std::size_t>(cols); ++i) {
          const double d = double{x[i]} - clean[i];
          expected.linf = std::max(expected.linf, std::fabs(d));
          expected.l2 += d * d;
          expected.l1 += std::fabs(d);
          expected.l0 += d != 0 ? 1 : 0;
          expected.lowest = std::min(expected.lowest, double{x[i]});
          expected.highest = std::max(expected.highest, double{x[i]});
        }
        CHECK(norm[row].linf == expected.linf);
        CHECK(norm[row].l0 == expected.l0);
        CHECK(norm[row].l1 == doctest::Approx(expected.l1).epsilon(1e-14));
        CHECK(norm[row].lowest == expected.lowest);
        CHECK(norm[row].highest == expected.highest);
        CHECK(norm[row].l2 ==
              doctest::Approx(std::sqrt(expected.l2)).epsilon(1e-14));  // double sums, another order
        CHECK(norm[row].l2 == first[row].l2);
      }
    }
  }
}

TEST_CASE("count_zero_gradients counts rows that are zero or NaN everywhere, padding rows not at all") {
  constexpr std::int64_t kCols = 1001;
  std::vector<float> gradient(6 * kCols, 0.0f);
  gradient[1 * kCols + 1000] = 1e-45f;
  gradient[2 * kCols] = -1;
  gradient[3 * kCols + 500] = kNan;
  gradient[4 * kCols + 3] = -0.0f;
  const std::vector<std::int32_t> sample = {7, 8, 9, 10, 11, -1};
  for (const Run& run : runs()) {
    std::vector<std::uint64_t> zeros(6, 100), total(6, 200);
    run.kernels.count_zero_gradients(run.queue, {.gradient = gradient.data(),
                                                 .sample = sample.data(),
                                                 .zeros = zeros.data(),
                                                 .total = total.data(),
                                                 .rows = 6,
                                                 .cols = kCols});
    CHECK(zeros == std::vector<std::uint64_t>{101, 100, 100, 101, 101, 100});
    CHECK(total == std::vector<std::uint64_t>{201, 201, 201, 201, 201, 200});
  }
}

}  // namespace
}  // namespace inocula::test
