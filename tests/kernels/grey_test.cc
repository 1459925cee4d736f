// Between one channel and several.
#include "kernels/grey.h"

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

TEST_CASE("repeat_over_channels shows the same pixels in each channel") {
  for (const std::int64_t channels : {1, 3}) {
    constexpr std::int64_t kRows = 3, kPixels = 35;
    const std::vector<float> x = random_floats(kRows * kPixels, 1);
    std::vector<float> expected;
    for (std::int64_t i = 0; i < kRows * channels * kPixels; ++i)
      expected.push_back(x[static_cast<std::size_t>(i / (channels * kPixels) * kPixels + i % kPixels)]);
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> y(expected.size(), kNan);
      run.kernels.repeat_over_channels(run.queue, {x.data(), y.data(), kRows, channels, kPixels});
      return Outputs{y.values()};
    });
    CHECK(out[0] == expected);
  }
}

TEST_CASE("sum_over_channels adds the channels of each pixel") {
  for (const std::int64_t channels : {1, 3, 4})
    for (const std::int64_t pixels : {1, 17, 1200}) {
      constexpr std::int64_t kRows = 3;
      const std::vector<float> x = random_floats(static_cast<std::size_t>(kRows * channels * pixels), 1);
      std::vector<double> expected(static_cast<std::size_t>(kRows * pixels));
      for (std::int64_t i = 0; i < kRows * channels * pixels; ++i)
        expected[static_cast<std::size_t>(i / (channels * pixels) * pixels + i % pixels)] +=
            double{x[static_cast<std::size_t>(i)]};
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> y(expected.size(), kNan);
        run.kernels.sum_over_channels(run.queue, {x.data(), y.data(), kRows, channels, pixels});
        return Outputs{y.values()};
      });
      check_near(out[0], expected, 0, 8 * kFloatEpsilon, "y");
    }
}

}  // namespace
}  // namespace inocula::test
