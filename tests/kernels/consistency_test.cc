// The consistency loss against its formula in double, and its gradient against finite differences of that.
#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Case {
  std::int64_t rows = 0, classes = 0;
  std::int32_t views = 3;
  std::vector<float> logits;
  std::vector<std::int32_t> label;
  float weight = 12, scale = 0.25f;
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
    run.kernels.jsd_ce(run.queue, {.logits = c.logits.data(),
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

TEST_CASE("jsd_ce is the documented loss, and its gradient that loss's") {
  for (const std::int32_t views : {2, 3, kMostViews})
    for (const std::int64_t classes : {2, 3, 9, 40})
      for (const float spread : {0.1f, 3.0f, 12.0f}) {
        CAPTURE(views);
        CAPTURE(classes);
        CAPTURE(spread);
        const Case c = random_case(5, classes, views, spread);
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

TEST_CASE("jsd_ce of equal views is the cross-entropy, whatever the weight") {
  Case c = random_case(4, 5, 3, 2.0f);
  const std::size_t one = c.logits.size() / 3;
  for (std::size_t i = 0; i < one; ++i) c.logits[one + i] = c.logits[2 * one + i] = c.logits[i];
  const Result r = run_case(c);
  c.weight = 0;
  const Result plain = run_case(c);
  check_near(r.loss, as_doubles(plain.loss), 1e-6, 1e-6, "loss");
  check_near(r.dlogits, as_doubles(plain.dlogits), 1e-6, 1e-7, "gradient");
  CHECK(std::all_of(plain.dlogits.begin() + static_cast<std::ptrdiff_t>(one), plain.dlogits.end(),
                    [](float v) { return v == 0; }));
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
