// The sums of a gradient over batch and pixels, against plain loops in double.
#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

/// Chunks of 32 values of order 1 are added in float, the rest in double.
constexpr double kSumBound = 2e-6;

TEST_CASE("add_channel_sums agrees with the double reference, on every layout and in bf16") {
  for (const PlaneShape& shape : batch_shapes()) {
    CAPTURE(to_string(shape));
    const Dense dy = random_dense(shape, 1);
    const std::vector<float> before = random_floats(static_cast<std::size_t>(shape.channels), 2);
    const Planes planes = to_planes(dy, shape);
    const Outputs result = same_everywhere([&](const Run& run) {
      Guarded<float> sum(before);
      Guarded<float> partial(static_cast<std::size_t>(shape.planes() * shape.block), kNan);
      run.kernels.add_channel_sums(run.queue, {planes.data(), sum.data(), partial.data(), shape});
      partial.values();
      return Outputs{sum.values()};
    });
    std::vector<double> expected = as_doubles(before);
    for (std::int64_t n = 0; n < dy.n; ++n)
      for (std::int64_t c = 0; c < dy.c; ++c)
        for (std::int64_t y = 0; y < dy.h; ++y)
          for (std::int64_t x = 0; x < dy.w; ++x) expected[static_cast<std::size_t>(c)] += dy.at(n, c, y, x);
    check_near(result[0], expected, kSumBound, kSumBound * static_cast<double>(shape.batch * shape.pixels()),
               "sum");
  }
}

}  // namespace
}  // namespace inocula::test
