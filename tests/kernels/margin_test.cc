// Margin and DLR against their formulas in double, and their gradients against finite differences of those.
#include "kernels/margin.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

using Kernel = void (*KernelTable::*)(const Queue&, const MarginLoss&);

struct Case {
  std::int64_t rows = 0, classes = 0;
  std::vector<float> logits;
  std::vector<std::int32_t> label, target;  ///< no target: untargeted
};

struct Result {
  std::vector<float> dlogits, loss, predicted;
};

Result run_case(Kernel kernel, const Case& c, bool with_gradient = true) {
  const auto rows = static_cast<std::size_t>(c.rows);
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> dlogits(c.logits.size(), 7.0f), loss(rows, 7.0f);
    Guarded<std::int32_t> predicted(rows, -1);
    (run.kernels.*kernel)(run.queue, {.logits = c.logits.data(),
                                      .label = c.label.data(),
                                      .target = c.target.empty() ? nullptr : c.target.data(),
                                      .dlogits = with_gradient ? dlogits.data() : nullptr,
                                      .loss = loss.data(),
                                      .predicted = predicted.data(),
                                      .rows = c.rows,
                                      .classes = c.classes});
    return Outputs{dlogits.values(), loss.values(), as_floats(predicted.values())};
  });
  return {out[0], out[1], out[2]};
}

/// The documented loss of one row; `target` negative where there is none.
double loss_of(bool ratio, const std::vector<double>& z, std::int32_t label, std::int32_t target) {
  std::vector<double> sorted = z;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double other = -INFINITY;
  for (std::size_t j = 0; j < z.size(); ++j)
    if (static_cast<std::int32_t>(j) != label) other = std::max(other, z[j]);
  if (target >= 0) other = z[static_cast<std::size_t>(target)];
  const double margin = other - z[static_cast<std::size_t>(label)];
  if (!ratio) return margin;
  return margin / (sorted[0] - (target >= 0 ? (sorted[2] + sorted[3]) / 2 : sorted[2]) + 1e-12);
}

void check_against_formula(Kernel kernel, bool ratio, bool targeted, std::int64_t classes) {
  CAPTURE(ratio);
  CAPTURE(targeted);
  CAPTURE(classes);
  Case c{60, classes, random_floats(static_cast<std::size_t>(60 * classes), 8, -4, 4), {}, {}};
  for (std::int32_t row = 0; row < 60; ++row) {
    c.label.push_back(row % static_cast<std::int32_t>(classes));
    if (targeted) c.target.push_back((c.label.back() + 1 + row / 7) % static_cast<std::int32_t>(classes));
    if (targeted && c.target.back() == c.label.back())
      c.target.back() = (c.label.back() + 1) % static_cast<std::int32_t>(classes);
  }
  const Result r = run_case(kernel, c);
  std::vector<double> loss, gradient, predicted;
  for (std::size_t row = 0; row < 60; ++row) {
    const auto begin = c.logits.begin() + static_cast<std::ptrdiff_t>(row) * classes;
    const std::vector<double> z(begin, begin + classes);
    const auto of = [&](const std::vector<double>& at) {
      return loss_of(ratio, at, c.label[row], targeted ? c.target[row] : -1);
    };
    loss.push_back(of(z));
    predicted.push_back(static_cast<double>(std::max_element(z.begin(), z.end()) - z.begin()));
    for (std::size_t j = 0; j < z.size(); ++j) {
      constexpr double kStep = 1e-6;
      std::vector<double> more = z, less = z;
      more[j] += kStep;
      less[j] -= kStep;
      gradient.push_back((of(more) - of(less)) / (2 * kStep));
    }
  }
  check_near(r.loss, loss, 1e-6, 1e-7, "loss");
  check_near(r.predicted, predicted, 0, 0, "predicted");
  check_near(r.dlogits, gradient, 1e-5, 1e-6, "gradient");
  const Result without = run_case(kernel, c, false);
  CHECK(without.loss == r.loss);
  CHECK(without.dlogits == std::vector<float>(c.logits.size(), 7.0f));
}

TEST_CASE("margin_loss and dlr_loss are the documented losses, and their gradients those losses'") {
  for (const std::int64_t classes : {2, 3, 4, 9, 40}) {
    check_against_formula(&KernelTable::margin_loss, false, false, classes);
    check_against_formula(&KernelTable::margin_loss, false, true, classes);
    if (classes >= 3) check_against_formula(&KernelTable::dlr_loss, true, false, classes);
    if (classes >= 4) check_against_formula(&KernelTable::dlr_loss, true, true, classes);
  }
}

TEST_CASE("margin_loss and dlr_loss: ties go to the lowest class, and equal logits stay finite") {
  const Case c{3, 3, {2, 2, 2, /**/ 1, 5, 5, /**/ 0, 0, 1}, {0, 1, 2}, {}};
  const Result margin = run_case(&KernelTable::margin_loss, c);
  CHECK(margin.loss == std::vector<float>{0, 0, -1});
  CHECK(margin.dlogits == std::vector<float>{-1, 1, 0, /**/ 0, -1, 1, /**/ 1, 0, -1});
  CHECK(margin.predicted == std::vector<float>{0, 1, 2});
  const Result dlr = run_case(&KernelTable::dlr_loss, c);
  CHECK(dlr.loss == std::vector<float>{0, 0, -1});
  for (const float v : dlr.dlogits) CHECK(std::isfinite(v));
}

TEST_CASE("dlr_loss does not change when all logits are scaled or shifted") {
  const Case c{1, 5, {3, 1, -2, 0.5f, 2}, {0}, {}};
  const float loss = run_case(&KernelTable::dlr_loss, c).loss[0];
  CHECK(loss == doctest::Approx(-0.5).epsilon(1e-6));  // -(3 - 2) / (3 - 1)
  for (const float scale : {1e-4f, 1e4f}) {
    Case scaled = c;
    for (float& z : scaled.logits) z = z * scale + scale;
    CHECK(run_case(&KernelTable::dlr_loss, scaled).loss[0] == doctest::Approx(loss).epsilon(1e-5));
  }
}

TEST_CASE("margin_loss: a NaN logit is never the answer, and makes the loss that it takes part in NaN") {
  const Case c{3, 3, {kNan, 2, 1, /**/ kNan, kNan, kNan, /**/ kNan, 1, 2}, {1, 0, 0}, {}};
  const Result r = run_case(&KernelTable::margin_loss, c);
  CHECK(r.loss[0] == -1);
  CHECK(std::isnan(r.loss[1]));
  CHECK(std::isnan(r.loss[2]));
  CHECK(r.predicted == std::vector<float>{1, 0, 2});
}

}  // namespace
}  // namespace inocula::test
