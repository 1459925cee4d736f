// The Carlini-Wagner kernels: tanh and its inverse, the objective's gradient, Adam, and the search for c.
#include "kernels/carlini_wagner.h"

#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

std::vector<float> numbers_of(const std::vector<CwSearch>& search) {
  std::vector<float> all;
  for (const CwSearch& s : search)
    for (const double v : {s.weight, s.lower, s.upper, s.decayed1, s.decayed2, static_cast<double>(s.hit)})
      all.push_back(static_cast<float>(v));
  return all;
}

TEST_CASE("cw_begin: w is the inverse of its image, and black and white stay reachable") {
  constexpr std::int64_t kRows = 3, kCols = 1500;
  std::vector<float> clean = random_floats(kRows * kCols, 6, 0, 1);
  clean[0] = 0;
  clean[1] = 1;
  clean[2] = 0.5f;
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> w(clean.size(), 9.0f), m(clean.size(), 9.0f), v(clean.size(), 9.0f), x(clean.size(), 9.0f);
    CwSearch old;
    old.weight = 3, old.lower = 1, old.upper = 5, old.decayed1 = 0.5, old.decayed2 = 0.25, old.hit = 1;
    Guarded<CwSearch> search(kRows, old);
    run.kernels.cw_begin(run.queue, {.w = w.data(),
                                     .moment1 = m.data(),
                                     .moment2 = v.data(),
                                     .x = x.data(),
                                     .clean = clean.data(),
                                     .search = search.data(),
                                     .rows = kRows,
                                     .cols = kCols});
    return Outputs{w.values(), x.values(), m.values(), v.values(), numbers_of(search.values())};
  });
  std::vector<double> w, x;
  for (const float c : clean) {
    w.push_back(std::atanh(0.999999 * (2.0 * c - 1)));
    x.push_back((0.999999 * (2.0 * c - 1) + 1) / 2);
  }
  check_near(out[0], w, 2e-7, 1e-9, "w");
  check_near(out[1], x, 2e-6, 1e-12, "x");  // w is rounded to float, and up to 7
  CHECK(out[1][0] > 0);
  CHECK(out[1][1] < 1);
  CHECK(out[2] == std::vector<float>(clean.size(), 0.0f));
  CHECK(out[3] == std::vector<float>(clean.size(), 0.0f));
  CHECK(std::vector<float>(out[4].begin(), out[4].begin() + 6) == std::vector<float>{3, 1, 5, 1, 1, 0});
}

TEST_CASE("cw_judge: the aim is reached with the margin asked for") {
  // A way beyond it, exactly as far, too little, the wrong answer, NaN.
  const std::vector<float> ahead = {3, 2, 1, 3, kNan};
  for (const bool targeted : {false, true}) {
    CAPTURE(targeted);
    const std::vector<std::int32_t> label(5, 1);
    std::vector<std::int32_t> predicted(5, targeted ? 1 : 0);
    predicted[3] = targeted ? 0 : 1;
    std::vector<float> loss = ahead;
    if (targeted)
      for (float& l : loss) l = -l;
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<CwSearch> search(5);
      Guarded<std::int32_t> hit(5, -1);
      run.kernels.cw_judge(run.queue, {.loss = loss.data(),
                                       .predicted = predicted.data(),
                                       .label = label.data(),
                                       .search = search.data(),
                                       .hit = hit.data(),
                                       .rows = 5,
                                       .targeted = targeted ? 1 : 0,
                                       .confidence = 2});
      std::vector<float> noted;
      for (const CwSearch& s : search.values()) noted.push_back(static_cast<float>(s.hit));
      return Outputs{as_floats(hit.values()), noted};
    });
    CHECK(out[0] == std::vector<float>{1, 1, 0, 0, 0});
    CHECK(out[1] == out[0]);
  }
}

/// Some steps of one sample's attack on a margin that is linear in x.
struct Descent {
  std::vector<float> clean, g;
  bool targeted = false;
  float confidence = 0, rate = 0.05f;
  double weight = 2, bias = -0.4;  ///< margin = <g, x> + bias, of the loss given to the kernel
  int steps = 1;
};

Outputs run_descent(const Descent& d) {
  const std::size_t n = d.clean.size();
  return same_everywhere([&](const Run& run) {
    Guarded<float> w(n), m(n), v(n), x(n);
    Guarded<CwSearch> search(1);
    run.kernels.cw_start(run.queue, {search.data(), 1, d.weight});
    run.kernels.cw_begin(run.queue, {w.data(), m.data(), v.data(), x.data(), d.clean.data(), search.data(), 1,
                                     static_cast<std::int64_t>(n)});
    for (int step = 0; step < d.steps; ++step) {
      double margin = d.bias;
      for (std::size_t i = 0; i < n; ++i) margin += double{d.g[i]} * x[i];
      const float loss = static_cast<float>(margin);
      run.kernels.cw_step(run.queue, {.w = w.data(),
                                      .moment1 = m.data(),
                                      .moment2 = v.data(),
                                      .x = x.data(),
                                      .clean = d.clean.data(),
                                      .gradient = d.g.data(),
                                      .loss = &loss,
                                      .search = search.data(),
                                      .rows = 1,
                                      .cols = static_cast<std::int64_t>(n),
                                      .targeted = d.targeted ? 1 : 0,
                                      .confidence = d.confidence,
                                      .rate = d.rate});
    }
    return Outputs{x.values(), w.values(), numbers_of(search.values())};
  });
}

/// The same in double.
std::vector<double> descend(const Descent& d) {
  const std::size_t n = d.clean.size();
  std::vector<double> w(n), x(n), m(n), v(n);
  for (std::size_t i = 0; i < n; ++i) {
    w[i] = std::atanh(0.999999 * (2.0 * d.clean[i] - 1));
    x[i] = (std::tanh(w[i]) + 1) / 2;
  }
  const double sign = d.targeted ? 1 : -1;
  for (int step = 1; step <= d.steps; ++step) {
    double loss = d.bias;
    for (std::size_t i = 0; i < n; ++i) loss += double{d.g[i]} * x[i];
    const bool active = sign * loss > -d.confidence;
    for (std::size_t i = 0; i < n; ++i) {
      const double t = std::tanh(w[i]);
      const double g = (2 * (x[i] - d.clean[i]) + (active ? d.weight * sign * d.g[i] : 0)) * (1 - t * t) / 2;
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      w[i] -= d.rate * (m[i] / (1 - std::pow(0.9, step))) /
              (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-8);
      x[i] = (std::tanh(w[i]) + 1) / 2;
    }
  }
  return x;
}

TEST_CASE("cw_step is Adam down the documented objective") {
  for (const std::size_t n : {1u, 30u, 1200u})
    for (const bool targeted : {false, true})
      for (const float confidence : {0.0f, 0.7f}) {
        CAPTURE(n);
        CAPTURE(targeted);
        CAPTURE(confidence);
        Descent d;
        d.clean = random_floats(n, 8, 0, 1);
        if (n > 2) d.clean[0] = 0, d.clean[1] = 1;
        d.g = random_floats(n, 9, 0.5f, 1);
        for (std::size_t i = 0; i < n; i += 2) d.g[i] = -d.g[i];
        d.targeted = targeted;
        d.confidence = confidence;
        // Some way from the aim: a few steps get there, but not the first.
        double at_clean = 0;
        for (std::size_t i = 0; i < n; ++i) at_clean += double{d.g[i]} * d.clean[i];
        const double way = 0.03 * static_cast<double>(n);
        d.bias = (targeted ? 1 : -1) * (way - confidence) - at_clean;
        for (const int steps : {1, 2, 8}) {
          d.steps = steps;
          check_near(run_descent(d)[0], descend(d), 1e-4, 2e-6, "x");
        }
      }
}

TEST_CASE("cw_step: a round is over where nothing falls and nothing travels any more") {
  // One pixel that stays grey, one that the aim leads away from black, and one at rest that is padding.
  constexpr int kSteps = 400;
  constexpr std::int64_t kEvery = 20;
  const std::vector<float> clean = {0.5f, 0.0f, 0.5f}, g = {0.0f, 1.0f, 0.0f};
  const std::vector<std::int32_t> sample = {0, 1, -1};
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> w(3), m(3), v(3), x(3), checked_w(3);
    Guarded<CwSearch> search(3);
    Guarded<std::int32_t> done(3, 7);
    run.kernels.cw_start(run.queue, {search.data(), 3, 1});
    run.kernels.cw_begin(run.queue, {.w = w.data(),
                                     .moment1 = m.data(),
                                     .moment2 = v.data(),
                                     .x = x.data(),
                                     .clean = clean.data(),
                                     .search = search.data(),
                                     .rows = 3,
                                     .cols = 1,
                                     .checked_w = checked_w.data(),
                                     .done = done.data(),
                                     .sample = sample.data()});
    const std::vector<float> at_begin = as_floats(done.values());
    std::vector<float> ended(3, -1.0f);
    float after = 0;
    for (int step = 0; step < kSteps; ++step) {
      const std::vector<float> loss = {-1, x[1] - 2, -1};
      run.kernels.cw_step(run.queue, {.w = w.data(),
                                      .moment1 = m.data(),
                                      .moment2 = v.data(),
                                      .x = x.data(),
                                      .clean = clean.data(),
                                      .gradient = g.data(),
                                      .loss = loss.data(),
                                      .search = search.data(),
                                      .rows = 3,
                                      .cols = 1,
                                      .rate = 0.05f,
                                      .every = kEvery,
                                      .checked_w = checked_w.data(),
                                      .done = done.data()});
      for (std::size_t row = 0; row < 3; ++row)
        if (done[row] != 0 && ended[row] < 0) ended[row] = static_cast<float>(step);
      if (ended[1] == static_cast<float>(step)) after = x[1];
    }
    return Outputs{at_begin, ended, {after, x[1]}};
  });
  CHECK(out[0] == std::vector<float>{0, 0, 1});
  CHECK(out[1][0] == kEvery);
  CHECK(out[1][1] > 5 * kEvery);
  CHECK(out[1][1] < kSteps);
  CHECK(out[1][2] == 0);
  // The least of x^2 + 2 - x.
  CHECK(out[2][1] == doctest::Approx(0.5).epsilon(0.02));
  CHECK(out[2][0] == out[2][1]);
}

TEST_CASE("cw_step leads black pixels away from black") {
  Descent d;
  d.clean = {0};
  d.g = {1};
  d.weight = 100;
  d.bias = -5;
  d.rate = 0.1f;
  d.steps = 200;
  CHECK(run_descent(d)[0][0] > 0.9f);
}

TEST_CASE("cw_step: a gradient that is not a number moves nothing, and x stays one") {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    Descent d;
    d.clean = {0.25f, 0.25f};
    d.g = {bad, 1};
    d.steps = 1;
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> w(2), m(2), v(2), x(2);
      Guarded<CwSearch> search(1);
      const float loss = -1;
      run.kernels.cw_start(run.queue, {search.data(), 1, 1});
      run.kernels.cw_begin(run.queue,
                           {w.data(), m.data(), v.data(), x.data(), d.clean.data(), search.data(), 1, 2});
      const float before = x[0];
      run.kernels.cw_step(run.queue, {.w = w.data(),
                                      .moment1 = m.data(),
                                      .moment2 = v.data(),
                                      .x = x.data(),
                                      .clean = d.clean.data(),
                                      .gradient = d.g.data(),
                                      .loss = &loss,
                                      .search = search.data(),
                                      .rows = 1,
                                      .cols = 2,
                                      .rate = 0.01f});
      return Outputs{x.values(), {before}};
    });
    CHECK(std::fabs(out[0][0] - out[1][0]) < 0.01f);  // what the distance alone asks for
    CHECK(out[0][1] > 0.25f);
  }
}

TEST_CASE("cw_next: ten times as much until one succeeds, then half way") {
  struct Case {
    std::int32_t hit;
    double weight, lower, upper, expected;
  };
  const double inf = std::numeric_limits<double>::infinity();
  for (const Case& c : {Case{0, 0.25, 0, inf, 2.5}, Case{1, 0.5, 0, inf, 0.25}, Case{0, 0.25, 0, 0.5, 0.375},
                        Case{1, 0.375, 0.25, 0.5, 0.3125}, Case{1, 4, 1, inf, 2.5}}) {
    const Outputs out = same_everywhere([&](const Run& run) {
      CwSearch s;
      s.hit = c.hit, s.weight = c.weight, s.lower = c.lower, s.upper = c.upper;
      Guarded<CwSearch> search(1, s);
      run.kernels.cw_next(run.queue, {search.data(), 1});
      return Outputs{{static_cast<float>(search[0].weight)}};
    });
    CHECK(out[0][0] == static_cast<float>(c.expected));
  }
}

}  // namespace
}  // namespace inocula::test
