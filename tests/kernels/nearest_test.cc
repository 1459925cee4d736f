// Which candidate is kept, by each distance, and what becomes of those beyond a radius.
#include "kernels/nearest.h"

#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr Distance kDistances[] = {Distance::linf, Distance::l2, Distance::l1, Distance::l0};

double distance_of(Distance norm, const std::vector<float>& x, const std::vector<float>& clean,
                   std::size_t first, std::size_t count) {
  double largest = 0, squares = 0, sum = 0, differ = 0;
  for (std::size_t i = first; i < first + count; ++i) {
    const double d = std::fabs(double{x[i]} - clean[i]);
    largest = std::max(largest, d);
    squares += d * d;
    sum += d;
    differ += x[i] != clean[i] ? 1 : 0;
  }
  return norm == Distance::linf ? largest
         : norm == Distance::l2 ? std::sqrt(squares)
         : norm == Distance::l1 ? sum
                                : differ;
}

TEST_CASE("keep_nearest: a hit that is nearer replaces, by every distance") {
  for (const Distance norm : kDistances)
    for (const std::int64_t cols : {1, 7, 3000}) {
      CAPTURE(static_cast<int>(norm));
      CAPTURE(cols);
      constexpr std::int64_t kRows = 4;
      const auto n = static_cast<std::size_t>(kRows * cols), width = static_cast<std::size_t>(cols);
      const std::vector<float> x = random_floats(n, 1, 0, 1), clean = random_floats(n, 2, 0, 1);
      std::vector<double> d;
      for (std::size_t row = 0; row < kRows; ++row)
        d.push_back(distance_of(norm, x, clean, row * width, width));
      // Nearer than before; farther; as far; no hit.
      const std::vector<float> before = {static_cast<float>(d[0]) * 1.01f, static_cast<float>(d[1]) * 0.99f,
                                         static_cast<float>(d[2]), kInfinity};
      const std::vector<std::int32_t> hit = {1, 1, 1, 0};
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> nearest(n, 5.0f), distance(before);
        run.kernels.keep_nearest(run.queue, {.x = x.data(),
                                             .clean = clean.data(),
                                             .hit = hit.data(),
                                             .nearest = nearest.data(),
                                             .distance = distance.data(),
                                             .rows = kRows,
                                             .cols = cols,
                                             .norm = norm});
        return Outputs{nearest.values(), distance.values()};
      });
      std::vector<float> expected(n, 5.0f);
      std::copy_n(x.begin(), width, expected.begin());
      CHECK(out[0] == expected);
      check_near({out[1][0]}, {d[0]}, 1e-6, 0, "distance");
      CHECK(std::vector<float>(out[1].begin() + 1, out[1].end()) ==
            std::vector<float>(before.begin() + 1, before.end()));
    }
}

TEST_CASE("release_beyond: what is out of reach, or was never found, becomes the clean image") {
  const std::vector<float> clean = {0, 0, 0, 0}, distance = {0.5f, 0.5001f, kInfinity, 0.0f};
  for (const float eps : {0.5f, kInfinity}) {
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> x(4, 1.0f);
      run.kernels.release_beyond(run.queue, {.x = x.data(),
                                             .clean = clean.data(),
                                             .distance = distance.data(),
                                             .rows = 4,
                                             .cols = 1,
                                             .eps = eps});
      return Outputs{x.values()};
    });
    CHECK(out[0] == std::vector<float>{1, eps == 0.5f ? 0.0f : 1.0f, 0, 1});
  }
}

}  // namespace
}  // namespace inocula::test
