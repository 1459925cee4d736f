// The kernels that measure the machine do the work that they are counted for.
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

TEST_CASE("copy_floats copies") {
  const std::vector<float> from = random_floats(10007, 1);
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> to(from.size(), kNan);
    run.kernels.copy_floats(run.queue, {.from = from.data(), .to = to.data(), .size = 10007});
    return Outputs{to.values()};
  });
  CHECK(out[0] == from);
}

TEST_CASE("fma_chains runs every link of every chain") {
  constexpr std::int64_t kTasks = 3, kLength = 500;
  // v <- 0.999 v + 0.001 brings v towards 1: what is left of the distance counts the links.
  double expected = 0;
  for (int c = 0; c < kFmaChains; ++c)
    for (int l = 0; l < kFmaLanes; ++l) expected += 1 + (c + l - 1) * std::pow(0.999, kLength);
  for (const Run& run : runs()) {
    Guarded<float> sink(kTasks, kNan);
    run.kernels.fma_chains(run.queue, {.sink = sink.data(), .tasks = kTasks, .length = kLength});
    // One link more or less changes the sum by 7e-4 of it; 500 roundings by less than 3e-5.
    for (const float sum : sink.values()) CHECK(std::fabs(sum / expected - 1) <= 1e-4);
  }
}

}  // namespace
}  // namespace inocula::test
