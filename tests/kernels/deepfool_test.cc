// DeepFool's parts against the paper's formulas in double.
#include "kernels/deepfool.h"

#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Consider {
  std::int64_t rows = 0, cols = 0, classes = 0, columns = 0, column = 1;
  std::vector<float> gradient, logits;
  std::vector<std::int32_t> rank;
  std::vector<float> distance;
};

/// Step and distance; the step that is there before is 9 everywhere.
Outputs run_consider(const Consider& c, Distance norm) {
  return same_everywhere([&](const Run& run) {
    Guarded<float> step(c.gradient.size(), 9.0f), distance(c.distance);
    run.kernels.deepfool_consider(run.queue, {.gradient = c.gradient.data(),
                                              .logits = c.logits.data(),
                                              .rank = c.rank.data(),
                                              .step = step.data(),
                                              .distance = distance.data(),
                                              .rows = c.rows,
                                              .cols = c.cols,
                                              .classes = c.classes,
                                              .columns = c.columns,
                                              .column = c.column,
                                              .norm = norm});
    return Outputs{step.values(), distance.values()};
  });
}

TEST_CASE("deepfool_consider: distance and step to the boundary of two linearised logits") {
  for (const bool linf : {false, true})
    for (const std::int64_t cols : {1, 7, 2500}) {
      CAPTURE(linf);
      CAPTURE(cols);
      constexpr std::int64_t kRows = 5;
      Consider c{kRows,
                 cols,
                 3,
                 2,
                 1,
                 random_floats(static_cast<std::size_t>(kRows * cols), 4),
                 random_floats(kRows * 3, 5, -3, 3),
                 {},
                 std::vector<float>(kRows, 0.0f)};
      for (std::int32_t row = 0; row < kRows; ++row) c.rank.insert(c.rank.end(), {row % 3, (row + 1) % 3});
      c.gradient[0] = linf ? 0.5f : 1e-25f;  // of one pixel: its square would be 0 in float
      std::vector<double> step, distance;
      for (std::size_t row = 0; row < kRows; ++row) {
        double size = 0;
        const auto w = [&](std::int64_t i) {
          return double{c.gradient[row * static_cast<std::size_t>(cols) + static_cast<std::size_t>(i)]};
        };
        for (std::int64_t i = 0; i < cols; ++i) size += linf ? std::fabs(w(i)) : w(i) * w(i);
        const double gap =
            std::fabs(double{c.logits[row * 3 + static_cast<std::size_t>(c.rank[2 * row + 1])]} -
                      c.logits[row * 3 + static_cast<std::size_t>(c.rank[2 * row])]);
        distance.push_back(gap / (linf ? size : std::sqrt(size)));
        for (std::int64_t i = 0; i < cols; ++i)
          step.push_back(linf ? gap / size * (w(i) > 0 ? 1 : w(i) < 0 ? -1 : 0) : gap / size * w(i));
      }
      const Outputs out = run_consider(c, linf ? Distance::linf : Distance::l2);
      check_near(out[1], distance, 1e-6, 0, "distance");
      check_near(out[0], step, 1e-6, 0, "step");
    }
}

TEST_CASE("deepfool_consider: a later class replaces only if it is nearer") {
  // w = (3, 4) and a difference of 10: 2 away.
  const Consider c{3,
                   2,
                   3,
                   3,
                   2,
                   {3, 4, 3, 4, 3, 4},
                   {0, 1, 10, 0, 1, 10, 0, 1, 10},
                   {0, 1, 2, 0, 1, 2, 0, 1, 2},
                   {2.5f, 1.5f, kInfinity}};
  const Outputs out = run_consider(c, Distance::l2);
  CHECK(out[1] == std::vector<float>{2, 1.5f, 2});
  check_near(out[0], {1.2, 1.6, 9, 9, 1.2, 1.6}, 1e-6, 0, "step");
}

TEST_CASE("deepfool_consider passes over classes without a finite gradient") {
  for (const Distance norm : {Distance::l2, Distance::linf})
    for (const float bad : {0.0f, kNan, kInfinity, 1e-40f}) {
      CAPTURE(bad);
      Consider c{1, 2, 2, 2, 1, {0, bad}, {1, 0}, {0, 1}, {1}};
      const Outputs first = run_consider(c, norm);
      CHECK(first[0] == std::vector<float>{0, 0});
      CHECK(first[1] == std::vector<float>{kInfinity});
      c.column = 2;
      c.columns = c.classes = 3;
      c.logits = {1, 0, 0};
      c.rank = {0, 1, 2};
      const Outputs later = run_consider(c, norm);
      CHECK(later[0] == std::vector<float>{9, 9});
      CHECK(later[1] == std::vector<float>{1});
    }
}

TEST_CASE("deepfool_consider: equal logits still make a step") {
  const Outputs out = run_consider({1, 1, 2, 2, 1, {2}, {3, 3}, {0, 1}, {0}}, Distance::l2);
  CHECK(out[1][0] == static_cast<float>(6 * kLogitLead / 2));
  CHECK(out[0][0] > 0);
}

TEST_CASE("deepfool_move: steps add up, the overshoot is of their sum, and who is done stays") {
  // Moves; another answer; wrong to begin with; no boundary; clipped.
  const std::vector<float> clean = {0.5f, 0.5f, 0.5f, 0.5f, 0.9f}, step = {0.1f, 0.1f, 0.1f, 0.0f, 0.3f},
                           distance = {1, 1, 1, kInfinity, 1}, logits = {1, 0, 0, 1, 1, 0, 1, 0, 1, 0};
  const std::vector<std::int32_t> label = {0, 0, 1, 0, 0};
  std::vector<std::int32_t> order;
  for (int row = 0; row < 5; ++row) order.insert(order.end(), {0, 1});
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> x(5, 0.25f), total(5, 0.2f);
    Guarded<std::int32_t> done(5, 9);
    const std::vector<std::int32_t> sample = {0, 1, 2, 3, -1};
    run.kernels.deepfool_move(run.queue, {.x = x.data(),
                                          .total = total.data(),
                                          .step = step.data(),
                                          .distance = distance.data(),
                                          .clean = clean.data(),
                                          .logits = logits.data(),
                                          .rank = order.data(),
                                          .label = label.data(),
                                          .sample = sample.data(),
                                          .done = done.data(),
                                          .rows = 5,
                                          .cols = 1,
                                          .classes = 2,
                                          .columns = 2,
                                          .overshoot = 0.5f});
    return Outputs{x.values(), total.values(), as_floats(done.values())};
  });
  CHECK(out[2] == std::vector<float>{0, 1, 1, 1, 1});
  check_near(out[0], {0.95, 0.25, 0.25, 0.25, 1}, 1e-6, 0, "x");
  check_near(out[1], {0.3, 0.2, 0.2, 0.2, 0.5}, 1e-6, 0, "total");
}

TEST_CASE("deepfool_move: a row that is barely across goes on, whatever the logits' scale") {
  for (const float scale : {1e-3f, 1.0f, 1e3f}) {
    const float little = 1 + 0x1p-16f, enough = 1 + 0x1p-14f;
    std::vector<float> logits = {1, little, 1, enough};
    for (float& z : logits) z *= scale;
    const std::vector<float> ones(2, 1.0f);
    const std::vector<std::int32_t> label(2, 0), sample = {0, 1}, order = {0, 1, 0, 1};
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> x(2, 0.25f), total(2, 0.0f);
      Guarded<std::int32_t> done(2, 9);
      run.kernels.deepfool_move(run.queue, {.x = x.data(),
                                            .total = total.data(),
                                            .step = ones.data(),
                                            .distance = ones.data(),
                                            .clean = ones.data(),
                                            .logits = logits.data(),
                                            .rank = order.data(),
                                            .label = label.data(),
                                            .sample = sample.data(),
                                            .done = done.data(),
                                            .rows = 2,
                                            .cols = 1,
                                            .classes = 2,
                                            .columns = 2});
      return Outputs{as_floats(done.values())};
    });
    CHECK(out[0][0] == 0);
    CHECK(out[0][1] == 1);
  }
}

}  // namespace
}  // namespace inocula::test
