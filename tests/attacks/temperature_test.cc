// Temperature scaling: the temperature that made the logits is found again, and predictions stay.
#include "attacks/temperature.h"

#include <cmath>
#include <random>

#include "attacks/metrics.h"
#include "tests/engine/harness.h"

namespace inocula::test {

TEST_CASE("temperature: logits too large by a factor have that factor as their temperature") {
  for (const double factor : {0.25, 1.0, 3.0, 10.0}) {
    CAPTURE(factor);
    std::mt19937 generator(7);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<double> uniform;
    std::vector<float> logits;
    std::vector<std::int32_t> label;
    for (int i = 0; i < 20000; ++i) {
      // Honest logits; a label drawn from their softmax.
      const float a = 2 * normal(generator), b = 2 * normal(generator);
      label.push_back(uniform(generator) < 1 / (1 + std::exp(double{b} - a)) ? 0 : 1);
      logits.push_back(static_cast<float>(factor * a));
      logits.push_back(static_cast<float>(factor * b));
    }
    const double t = attacks::fit_temperature(logits, label, 2);
    CHECK(t == doctest::Approx(factor).epsilon(0.05));
    const auto nll = [&](double at) {
      return attacks::score(attacks::Predictions(attacks::divide_by_temperature(logits, at), label, 2)).nll;
    };
    CHECK(nll(t) <= nll(1.01 * t));
    CHECK(nll(t) <= nll(t / 1.01));
    const std::vector<float> scaled = attacks::divide_by_temperature(logits, t);
    CHECK(attacks::argmax_rows(scaled, 2) == attacks::argmax_rows(logits, 2));
  }
}

TEST_CASE("temperature: all right or all wrong, the answer is an end of the range") {
  const std::vector<float> logits = {1, 0, 2, 0, 0, 3};
  CHECK(attacks::fit_temperature(logits, std::vector<std::int32_t>{0, 0, 1}, 2) ==
        doctest::Approx(1.0 / 64).epsilon(1e-3));
  CHECK(attacks::fit_temperature(logits, std::vector<std::int32_t>{1, 1, 0}, 2) ==
        doctest::Approx(64.0).epsilon(1e-3));
}

}  // namespace inocula::test
