// A label's logits as pairs, and their gradient in its column alone.
#include "kernels/label_view.h"

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

TEST_CASE("label_logits pairs each label's logit with 0") {
  constexpr std::int64_t kRows = 70, kLabels = 14;
  const std::vector<float> logits = random_floats(kRows * kLabels, 5, -9, 9);
  for (const std::int64_t first : {0, 3, 13})
    for (const std::int64_t count : {1, 5, 14}) {
      if (first + count > kLabels) continue;
      CAPTURE(first);
      CAPTURE(count);
      std::vector<float> expected;
      for (std::int64_t row = 0; row < kRows; ++row)
        for (std::int64_t j = first; j < first + count; ++j) {
          expected.push_back(0);
          expected.push_back(logits[static_cast<std::size_t>(row * kLabels + j)]);
        }
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> pairs(static_cast<std::size_t>(kRows * count * 2), kNan);
        run.kernels.label_logits(run.queue, {.logits = logits.data(),
                                             .pairs = pairs.data(),
                                             .rows = kRows,
                                             .labels = kLabels,
                                             .first = first,
                                             .count = count});
        return Outputs{pairs.values()};
      });
      CHECK(out[0] == expected);
    }
}

TEST_CASE("label_gradient puts the logit's share in its column") {
  const std::vector<float> dpairs = {9, 1, /**/ 8, -2, /**/ 7, 0.5f};
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> dlogits(3 * 4, kNan);
    run.kernels.label_gradient(
        run.queue, {.dpairs = dpairs.data(), .dlogits = dlogits.data(), .rows = 3, .labels = 4, .label = 2});
    return Outputs{dlogits.values()};
  });
  CHECK(out[0] == std::vector<float>{0, 0, 1, 0, /**/ 0, 0, -2, 0, /**/ 0, 0, 0.5f, 0});
}

}  // namespace
}  // namespace inocula::test
