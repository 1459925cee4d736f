// Keeping to a region: by image or for all, with clean pixels or zeros outside; random starts inside it.
#include "kernels/region.h"

#include <cmath>

#include "kernels/start.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr std::int64_t kRows = 4, kChannels = 3, kPixels = 35, kCols = kChannels * kPixels, kImages = 6;
const std::vector<std::int32_t> kSample = {5, 0, -1, 3};

std::vector<std::uint8_t> random_masks(std::int64_t images) {
  std::vector<std::uint8_t> masks;
  for (const float v : random_floats(static_cast<std::size_t>(images * kPixels), 9, 0, 1))
    masks.push_back(v < 0.5f ? 0 : v < 0.75f ? 1 : 255);
  return masks;
}

bool may_change(const std::vector<std::uint8_t>& masks, std::int64_t row, std::int64_t i) {
  const std::int32_t sample = kSample[static_cast<std::size_t>(row)];
  const bool one = static_cast<std::int64_t>(masks.size()) == kPixels;
  return sample < 0 || masks[static_cast<std::size_t>((one ? 0 : sample) * kPixels + i % kPixels)] != 0;
}

TEST_CASE("keep_to_region: what may not change is the image outside, or 0") {
  const auto n = static_cast<std::size_t>(kRows * kCols);
  const std::vector<float> x = random_floats(n, 1), clean = random_floats(n, 2);
  for (const std::int64_t images : {std::int64_t{1}, kImages})
    for (const bool zeros : {false, true}) {
      CAPTURE(images);
      CAPTURE(zeros);
      const std::vector<std::uint8_t> masks = random_masks(images);
      std::vector<float> expected;
      for (std::int64_t row = 0; row < kRows; ++row)
        for (std::int64_t i = 0; i < kCols; ++i) {
          const auto at = static_cast<std::size_t>(row * kCols + i);
          expected.push_back(may_change(masks, row, i) ? x[at] : zeros ? 0.0f : clean[at]);
        }
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> y(n, kNan), in_place(x);
        KeepToRegion a{.x = x.data(),
                       .outside = zeros ? nullptr : clean.data(),
                       .y = y.data(),
                       .sample = kSample.data(),
                       .rows = kRows,
                       .cols = kCols,
                       .region = {masks.data(), kPixels, images == 1 ? 0 : kPixels}};
        run.kernels.keep_to_region(run.queue, a);
        a.x = a.y = in_place.data();
        run.kernels.keep_to_region(run.queue, a);
        return Outputs{y.values(), in_place.values()};
      });
      CHECK(out[0] == expected);
      CHECK(out[1] == expected);
    }
}

TEST_CASE("random starts: outside a region pixels stay, and the L2 radius is spent inside") {
  const auto n = static_cast<std::size_t>(kRows * kCols);
  const std::vector<float> clean(n, 0.5f);
  const std::vector<std::uint8_t> masks = random_masks(kImages);
  const StepState state = {.seed = 5};
  for (const auto kernel :
       {&KernelTable::start_uniform_linf, &KernelTable::start_uniform_l2, &KernelTable::start_sphere_l2,
        &KernelTable::start_normal_linf, &KernelTable::start_normal_l2}) {
    constexpr float kEps = 0.25f;
    const std::vector<float> x = same_everywhere([&](const Run& run) {
      Guarded<float> y(n, kNan);
      (run.kernels.*kernel)(run.queue, {.x = y.data(),
                                        .clean = clean.data(),
                                        .sample = kSample.data(),
                                        .state = &state,
                                        .rows = kRows,
                                        .cols = kCols,
                                        .eps = kEps,
                                        .deviation = 0.001f,
                                        .region = {masks.data(), kPixels, kPixels}});
      return Outputs{y.values()};
    })[0];
    for (std::int64_t row = 0; row < kRows; ++row) {
      double squares = 0;
      std::int64_t moved = 0, free = 0;
      for (std::int64_t i = 0; i < kCols; ++i) {
        const float d = x[static_cast<std::size_t>(row * kCols + i)] - 0.5f;
        free += may_change(masks, row, i) ? 1 : 0;
        moved += d != 0 ? 1 : 0;
        if (!may_change(masks, row, i)) CHECK(d == 0);
        squares += double{d} * d;
      }
      CHECK(moved == free);
      if (kernel == &KernelTable::start_sphere_l2)
        CHECK(std::sqrt(squares) == doctest::Approx(kEps).epsilon(1e-5));
    }
  }
}

}  // namespace
}  // namespace inocula::test
