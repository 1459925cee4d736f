// The saliency map's step against a search through all pairs in double.
#include "kernels/saliency.h"

#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Case {
  std::vector<float> x, clean, a, b;
  float theta = 1;
  bool pairs = true;
  std::int64_t most = 1000000;
  float answer = 0;  ///< logit of the target, class 1; class 0 has 0
};

std::vector<float> run_case(const Case& c) {
  return same_everywhere([&](const Run& run) {
    Guarded<float> x(c.x);
    const std::vector<float> logits = {0, c.answer};
    const std::int32_t target = 1, sample = 0;
    Guarded<std::int32_t> done(1, 9);
    run.kernels.saliency_step(run.queue, {.x = x.data(),
                                          .clean = c.clean.data(),
                                          .toward = c.a.data(),
                                          .others = c.b.data(),
                                          .logits = logits.data(),
                                          .target = &target,
                                          .sample = &sample,
                                          .done = done.data(),
                                          .rows = 1,
                                          .cols = static_cast<std::int64_t>(c.x.size()),
                                          .classes = 2,
                                          .most = c.most,
                                          .theta = c.theta,
                                          .pairs = c.pairs ? 1 : 0});
    const std::vector<float> moved = x.values();
    CHECK(done.values()[0] == (moved == c.x ? 1 : 0));
    return Outputs{moved};
  })[0];
}

/// The paper's choice, written down as it stands there.
std::vector<float> expected_of(const Case& c) {
  const std::size_t n = c.x.size();
  const double sign = c.theta > 0 ? 1 : -1;
  const auto open = [&](std::size_t i) {
    return (c.theta > 0 ? c.x[i] < 1 : c.x[i] > 0) && std::isfinite(c.a[i]) && std::isfinite(c.b[i]);
  };
  double best = 0;
  std::size_t p = n, q = n;
  const auto look = [&](std::size_t i, std::size_t j, double a, double b) {
    if (sign * a > 0 && sign * b < 0 && -a * b > best) best = -a * b, p = i, q = j;
  };
  for (std::size_t i = 0; i < n; ++i) {
    if (!open(i)) continue;
    if (!c.pairs) look(i, n, c.a[i], c.b[i]);
    for (std::size_t j = i + 1; c.pairs && j < n; ++j)
      if (open(j)) look(i, j, double{c.a[i]} + c.a[j], double{c.b[i]} + c.b[j]);
  }
  std::vector<float> x = c.x;
  for (const std::size_t i : {p, q})
    if (i < n) x[i] = std::min(std::max(x[i] + c.theta, 0.0f), 1.0f);
  return x;
}

/// Gradients of one kind: independent, opposite as of two classes, of one sign, of few different values,
/// tiny.
void set_gradients(Case& c, int kind, unsigned seed) {
  const std::size_t n = c.x.size();
  c.a = random_floats(n, seed);
  c.b = random_floats(n, seed + 1000);
  for (std::size_t i = 0; i < n; ++i) {
    if (kind == 1) c.b[i] = -c.a[i] + 0.01f * c.b[i];
    if (kind == 2) c.b[i] = c.a[i] + 0.01f * c.b[i];  // hardly a pair is admissible
    if (kind == 3) c.a[i] = std::round(2 * c.a[i]), c.b[i] = std::round(2 * c.b[i]);
    if (kind == 4) c.a[i] *= 1e-38f, c.b[i] *= 1e-38f;
    if (kind == 5) c.a[i] = std::fabs(c.a[i]), c.b[i] = std::fabs(c.b[i]) - 0.02f;
    // One value stands out in each: together they are not the best pair.
    if (kind == 6 && i == n / 2) c.a[i] = 50, c.b[i] = 40;
    if (kind == 6 && i == n / 3) c.b[i] = -50, c.a[i] = -49;
  }
}

TEST_CASE("saliency_step takes the best of all pairs, or of all values") {
  int moved = 0;
  for (const std::size_t n : {1u, 2u, 3u, 17u, 130u})
    for (int kind = 0; kind < 7; ++kind)
      for (unsigned seed = 0; seed < 6; ++seed)
        for (const bool pairs : {true, false})
          for (const float theta : {1.0f, 0.25f, -0.5f}) {
            CAPTURE(n);
            CAPTURE(kind);
            CAPTURE(seed);
            CAPTURE(pairs);
            CAPTURE(theta);
            Case c;
            c.x = random_floats(n, seed + 50, 0, 1);
            for (std::size_t i = 0; i < n; i += 3) c.x[i] = i % 2 == 0 ? 0.0f : 1.0f;
            c.clean = c.x;
            c.theta = theta;
            c.pairs = pairs;
            set_gradients(c, kind, seed);
            if (seed == 5) c.a[0] = kNan, c.b[n / 2] = kInfinity;
            const std::vector<float> expected = expected_of(c);
            moved += expected != c.x ? 1 : 0;
            CHECK(run_case(c) == expected);
          }
  CHECK(moved > 500);
}

TEST_CASE("saliency_step: pruning leaves the best pair of an image's worth of values") {
  for (int kind = 0; kind < 7; ++kind) {
    CAPTURE(kind);
    Case c;
    c.x = random_floats(1600, 3, 0, 0.9f);
    c.clean = c.x;
    set_gradients(c, kind, 77);
    CHECK(run_case(c) == expected_of(c));
  }
}

TEST_CASE("saliency_step: who has the target, or has changed enough, stays") {
  Case c;
  c.x = {0.5f, 0.5f, 0.5f, 0.25f};
  c.clean = {0.5f, 0.5f, 0.5f, 0.5f};  // one is changed
  c.a = {1, 2, 3, 0};
  c.b = {-1, -2, -3, 0};
  c.theta = 0.25f;
  const std::vector<float> moved = {0.5f, 0.75f, 0.75f, 0.25f};
  CHECK(run_case(c) == moved);
  c.most = 3;
  CHECK(run_case(c) == moved);
  c.most = 2;
  CHECK(run_case(c) == c.x);
  c.a[3] = 9, c.b[3] = -9;  // of the pair one is changed already
  CHECK(run_case(c) == std::vector<float>{0.5f, 0.5f, 0.75f, 0.5f});
  c.answer = 1;
  CHECK(run_case(c) == c.x);
}

TEST_CASE("saliency_step treats rows one by one") {
  const std::vector<float> a = {1, 2, 3, 3, 2, 1}, b = {-1, -2, -3, -3, -2, -1}, logits = {1, 0, 1, 0};
  const std::vector<std::int32_t> target = {1, 1};
  const Outputs out = same_everywhere([&](const Run& run) {
    const std::vector<float> clean(6, 0.5f);
    Guarded<float> x(clean);
    Guarded<std::int32_t> done(2, 9);
    const std::vector<std::int32_t> sample = {0, 1};
    run.kernels.saliency_step(run.queue, {.x = x.data(),
                                          .clean = clean.data(),
                                          .toward = a.data(),
                                          .others = b.data(),
                                          .logits = logits.data(),
                                          .target = target.data(),
                                          .sample = sample.data(),
                                          .done = done.data(),
                                          .rows = 2,
                                          .cols = 3,
                                          .classes = 2,
                                          .most = 3});
    return Outputs{x.values()};
  });
  CHECK(out[0] == std::vector<float>{0.5f, 1, 1, 1, 1, 0.5f});
}

}  // namespace
}  // namespace inocula::test
