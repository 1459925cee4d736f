// The consistency losses against their formulas in double, and their gradients against finite differences.
#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

using Kernel = void (*KernelTable::*)(const Queue&, const ConsistencyCe&);

struct Case {
  std::int64_t rows = 0, classes = 0;
  std::int32_t views = 3;
  std::vector<float> logits;
  std::vector<std::int32_t> label;
  float weight = 12, scale = 0.25f;
  Kernel kernel = &KernelTable::jsd_ce;
};

Case random_case(std::int64_t rows, std::int64_t classes, std::int32_t views, float spread) {
  Case c{rows, classes, views, {}, {}};
  c.logits = random_floats(static_cast<std::size_t>(views * rows * classes), 5, -spread, spread);
  for (std::int64_t i = 0; i < rows; ++i) c.label.push_back(static_cast<std::int32_t>(i % classes));
  return c;
}

/// The loss of one row from its views' logits.
double row_loss(const Case& c, const std::vector<double>& logits, std::int64_t row) {
  const auto k = static_cast<std::size_t>(c.classes);
  std::vector<std::vector<double>> p, log_p;
  for (std::int32_t v = 0; v < c.views; ++v) {
    const double* const z = logits.data() + static_cast<std::size_t>((v * c.rows + row) * c.classes);
    const double peak = *std::max_element(z, z + k);
    double sum = 0;
    for (std::size_t j = 0; j < k; ++j) sum += std::exp(z[j] - peak);
    p.emplace_back();
    log_p.emplace_back();
    for (std::size_t j = 0; j < k; ++j) {
      log_p.back().push_back(z[j] - peak - std::log(sum));
      p.back().push_back(std::exp(log_p.back().back()));
    }
  }
  double loss = -log_p[0][static_cast<std::size_t>(c.label[static_cast<std::size_t>(row)])];
  for (std::size_t j = 0; j < k; ++j) {
    if (c.kernel == &KernelTable::kl_ce) {
      loss += c.weight * p[0][j] * (log_p[0][j] - log_p[1][j]);
      continue;
    }
    double mean = 0;
    for (std::int32_t v = 0; v < c.views; ++v) mean += p[static_cast<std::size_t>(v)][j] / c.views;
    mean = std::max(mean, 1e-7);
    for (std::size_t v = 0; v < static_cast<std::size_t>(c.views); ++v)
      loss += c.weight / c.views * p[v][j] * (log_p[v][j] - std::log(mean));
  }
  return loss;
}

struct Result {
  std::vector<float> dlogits, loss;
  std::vector<float> predicted;
};

Result run_case(const Case& c) {
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> dlogits(c.logits.size(), kNan), loss(c.label.size(), kNan);
    Guarded<std::int32_t> predicted(c.label.size(), -1);
    (run.kernels.*c.kernel)(run.queue, {.logits = c.logits.data(),
                                        .label = c.label.data(),
                                        .dlogits = dlogits.data(),
                                        .loss = loss.data(),
                                        .predicted = predicted.data(),
                                        .rows = c.rows,
                                        .classes = c.classes,
                                        .views = c.views,
                                        .weight = c.weight,
                                        .scale = c.scale});
    return Outputs{dlogits.values(), loss.values(), as_floats(predicted.values())};
  });
  return {out[0], out[1], out[2]};
}

void check_documented(Kernel kernel, std::int32_t views) {
  CAPTURE(views);
  for (const std::int64_t classes : {2, 3, 9, 40})
    for (const float spread : {0.1f, 3.0f, 12.0f}) {
      CAPTURE(classes);
      CAPTURE(spread);
      Case c = random_case(5, classes, views, spread);
      c.kernel = kernel;
      const Result r = run_case(c);
      const std::vector<double> z = as_doubles(c.logits);
      std::vector<double> loss, gradient(z.size());
      for (std::int64_t row = 0; row < c.rows; ++row) loss.push_back(row_loss(c, z, row));
      check_near(r.loss, loss, 1e-6, 1e-6, "loss");
      constexpr double kStep = 1e-5;
      for (std::size_t i = 0; i < z.size(); ++i) {
        const std::int64_t row = static_cast<std::int64_t>(i) / c.classes % c.rows;
        std::vector<double> more = z, less = z;
        more[i] += kStep;
        less[i] -= kStep;
        gradient[i] = double{c.scale} * (row_loss(c, more, row) - row_loss(c, less, row)) / (2 * kStep);
      }
      check_near(r.dlogits, gradient, 1e-5, 1e-7, "gradient");
      for (std::int64_t row = 0; row < c.rows; ++row) {
        const auto begin = c.logits.begin() + row * classes;
        CHECK(static_cast<std::int64_t>(r.predicted[static_cast<std::size_t>(row)]) ==
              std::max_element(begin, begin + classes) - begin);
      }
    }
}

TEST_CASE("jsd_ce is the documented loss, and its gradient that loss's") {
  for (const std::int32_t views : {2, 3, kMostViews}) check_documented(&KernelTable::jsd_ce, views);
}

TEST_CASE("kl_ce is the documented loss, and its gradient that loss's, by both views") {
  check_documented(&KernelTable::kl_ce, 2);
}

TEST_CASE("consistency losses of equal views are the cross-entropy, whatever the weight") {
  for (const Kernel kernel : {&KernelTable::jsd_ce, &KernelTable::kl_ce}) {
    const bool kl = kernel == &KernelTable::kl_ce;
    Case c = random_case(4, 5, kl ? 2 : 3, 2.0f);
    c.kernel = kernel;
    const std::size_t one = static_cast<std::size_t>(c.rows * c.classes);
    for (std::size_t i = one; i < c.logits.size(); ++i) c.logits[i] = c.logits[i - one];
    const Result r = run_case(c);
    c.weight = 0;
    const Result plain = run_case(c);
    check_near(r.loss, as_doubles(plain.loss), 1e-6, 1e-6, "loss");
    check_near(r.dlogits, as_doubles(plain.dlogits), 1e-6, 1e-7, "gradient");
    CHECK(std::all_of(plain.dlogits.begin() + static_cast<std::ptrdiff_t>(one), plain.dlogits.end(),
                      [](float v) { return v == 0; }));
    if (kl) CHECK(difference_in_bits({r.loss, r.dlogits}, {plain.loss, plain.dlogits}) == "");
  }
}

TEST_CASE("kl_ce of certain views that contradict each other stays finite") {
  // The first view is sure of its class up to e^-1000, and the second gives that class e^-1000.
  Case c{1, 3, 2, {1000, 0, 0, 0, 1000, 0}, {1}};
  c.kernel = &KernelTable::kl_ce;
  const Result r = run_case(c);
  CHECK(r.loss[0] == doctest::Approx(1000 + 12 * 1000.0).epsilon(1e-6));
  check_near(r.dlogits, {0.25, -0.25, 0, -3, 3, 0}, 1e-6, 1e-30, "gradient");
  for (const float bad : {kNan, kInfinity, -kInfinity})
    for (std::size_t i = 0; i < c.logits.size(); ++i) {
      Case broken = c;
      broken.logits[i] = bad;
      CHECK(!std::isfinite(run_case(broken).loss[0]));
    }
}

TEST_CASE("kl_ce of views that are sure of the same class keeps the second view's direction") {
  Case c{1, 2, 2, {60, 0, 50, 0}, {0}};
  c.kernel = &KernelTable::kl_ce;
  const double toward = 12 * 0.25 * (std::exp(-50.0) - std::exp(-60.0));
  const std::vector<float> g = run_case(c).dlogits;
  check_near({g[2], g[3]}, {-toward, toward}, 1e-6, 0, "gradient");
}

TEST_CASE("jsd_ce of certain views that contradict each other stays finite") {
  // ln 3 nats apart, and each view's classes have probabilities down to e^-1000.
  Case c{1, 3, 3, {1000, 0, 0, 0, 1000, 0, 0, 0, 1000}, {1}};
  const Result r = run_case(c);
  CHECK(r.loss[0] == doctest::Approx(1000 + 12 * std::log(3.0)).epsilon(1e-6));
  CHECK(r.dlogits[0] == doctest::Approx(0.25f).epsilon(1e-6));
  CHECK(r.dlogits[1] == doctest::Approx(-0.25f).epsilon(1e-6));
  CHECK(std::all_of(r.dlogits.begin(), r.dlogits.end(), [](float v) { return std::isfinite(v); }));
  c.logits[4] = kNan;
  CHECK(std::isnan(run_case(c).loss[0]));
}

}  // namespace
}  // namespace inocula::test
