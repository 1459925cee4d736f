// The divergence from reference answers against its formula in double, and its gradient against finite
// differences of that.
#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Case {
  std::int64_t rows = 0, classes = 0;
  std::vector<float> reference, logits;
};

struct Result {
  std::vector<float> dlogits, loss, predicted;
};

Result run_case(const Case& c, bool with_gradient = true) {
  const auto rows = static_cast<std::size_t>(c.rows);
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> dlogits(c.logits.size(), 7.0f), loss(rows, 7.0f);
    Guarded<std::int32_t> predicted(rows, -1);
    run.kernels.kl_divergence(run.queue, {.reference = c.reference.data(),
                                          .logits = c.logits.data(),
                                          .dlogits = with_gradient ? dlogits.data() : nullptr,
                                          .loss = loss.data(),
                                          .predicted = predicted.data(),
                                          .rows = c.rows,
                                          .classes = c.classes});
    return Outputs{dlogits.values(), loss.values(), as_floats(predicted.values())};
  });
  return {out[0], out[1], out[2]};
}

/// ln softmax of a row.
std::vector<double> log_softmax(std::vector<double> z) {
  const double peak = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (const double v : z) sum += std::exp(v - peak);
  for (double& v : z) v -= peak + std::log(sum);
  return z;
}

double divergence(const std::vector<double>& reference, const std::vector<double>& logits) {
  const std::vector<double> log_p = log_softmax(reference), log_q = log_softmax(logits);
  double sum = 0;
  for (std::size_t j = 0; j < log_p.size(); ++j) sum += std::exp(log_p[j]) * (log_p[j] - log_q[j]);
  return sum;
}

std::vector<double> row_of(const std::vector<float>& all, std::int64_t classes, std::int64_t row) {
  return {all.begin() + row * classes, all.begin() + (row + 1) * classes};
}

TEST_CASE("kl_divergence is the documented loss, and its gradient that loss's") {
  for (const std::int64_t classes : {2, 3, 9, 16, 17, 40})
    for (const float spread : {0.1f, 3.0f, 12.0f}) {
      CAPTURE(classes);
      CAPTURE(spread);
      Case c{70, classes, {}, {}};
      const auto size = static_cast<std::size_t>(c.rows * classes);
      c.reference = random_floats(size, 5, -spread, spread);
      c.logits = random_floats(size, 6, -spread, spread);
      for (std::int64_t j = 0; j < classes; ++j)
        c.logits[static_cast<std::size_t>(j)] = 1.5f;  // a tie of all
      const Result r = run_case(c);
      std::vector<double> loss, gradient, predicted;
      for (std::int64_t row = 0; row < c.rows; ++row) {
        const std::vector<double> p = row_of(c.reference, classes, row), q = row_of(c.logits, classes, row);
        loss.push_back(divergence(p, q));
        predicted.push_back(static_cast<double>(std::max_element(q.begin(), q.end()) - q.begin()));
        for (std::size_t j = 0; j < q.size(); ++j) {
          constexpr double kStep = 1e-5;
          std::vector<double> more = q, less = q;
          more[j] += kStep;
          less[j] -= kStep;
          gradient.push_back((divergence(p, more) - divergence(p, less)) / (2 * kStep));
        }
      }
      check_near(r.loss, loss, 1e-6, 1e-12, "loss");
      check_near(r.dlogits, gradient, 1e-5, 1e-9, "gradient");
      CHECK(as_doubles(r.predicted) == predicted);
      const Result forward = run_case(c, false);
      CHECK(difference_in_bits({forward.loss, forward.predicted}, {r.loss, r.predicted}) == "");
    }
}

TEST_CASE("kl_divergence of equal answers is zero, and so is its gradient") {
  Case c{20, 5, random_floats(100, 3, -9, 9), {}};
  c.logits = c.reference;
  const Result r = run_case(c);
  CHECK(r.loss == std::vector<float>(20, 0.0f));
  CHECK(r.dlogits == std::vector<float>(100, 0.0f));
}

TEST_CASE("kl_divergence of certain answers keeps its value and its direction") {
  // Sure of the same class, where q - p rounds to 0 in that class; then of different ones, up to e^-1000.
  const Result same = run_case({1, 3, {60, 0, -5}, {50, 0, 1}});
  const double up1 = std::exp(-50.0) - std::exp(-60.0), up2 = std::exp(-49.0) - std::exp(-65.0);
  check_near(same.dlogits, {-(up1 + up2), up1, up2}, 1e-6, 0, "gradient");
  // ln(p0 / q0) is what q's other classes have more than p's, but for the share of the others themselves.
  const double others = std::exp(-60.0) * (-60 + 50) + std::exp(-65.0) * (-65 + 49);
  check_near(same.loss, {up1 + up2 + others}, 1e-6, 0, "loss");
  const Result different = run_case({1, 3, {1000, 0, 0}, {0, 1000, 0}});
  CHECK(different.loss == std::vector<float>{1000});
  CHECK(different.dlogits == std::vector<float>{-1, 1, 0});
  CHECK(different.predicted == std::vector<float>{1});
}

TEST_CASE("kl_divergence of logits that are not finite says so, in their row alone") {
  for (const float bad : {kNan, kInfinity, -kInfinity})
    for (const bool in_reference : {false, true}) {
      Case c{3, 4, random_floats(12, 8, -2, 2), random_floats(12, 9, -2, 2)};
      const Result whole = run_case(c);
      (in_reference ? c.reference : c.logits)[6] = bad;
      const Result r = run_case(c);
      CHECK(!std::isfinite(r.loss[1]));
      for (std::size_t i = 0; i < 12; ++i) {
        if (i / 4 != 1)
          CHECK(r.dlogits[i] == whole.dlogits[i]);
        else if (bad != -kInfinity)
          CHECK(std::isnan(r.dlogits[i]));
      }
      CHECK(r.loss[0] == whole.loss[0]);
      CHECK(r.loss[2] == whole.loss[2]);
    }
}

}  // namespace
}  // namespace inocula::test
