// Temperature scaling: the temperature that made the logits is found again, and predictions stay.
#include "attacks/scores/temperature.h"

#include <cmath>
#include <random>

#include "attacks/scores/metrics.h"
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
      return attacks::score(attacks::Predictions(logits, label, 2, at)).nll;
    };
    CHECK(nll(t) <= nll(1.01 * t));
    CHECK(nll(t) <= nll(t / 1.01));
  }
}

TEST_CASE("temperature: probabilities are those of the divided logits, predictions those of the logits") {
  // Two neighbouring floats that division by 1.8 would round to one.
  const float low = 1.9f, high = std::nextafter(low, 2.0f);
  const attacks::Predictions p(std::vector<float>{low, high, 3, 0}, std::vector<std::int32_t>{1, 0}, 2, 1.8);
  CHECK(p.predicted == std::vector<std::int32_t>{1, 0});
  CHECK(p.probability[2] == doctest::Approx(1 / (1 + std::exp(-3 / 1.8))).epsilon(1e-12));
  CHECK(p.nll[1] == doctest::Approx(-std::log(p.probability[2])).epsilon(1e-12));
}

TEST_CASE("temperature: all right or all wrong, the answer is an end of the range") {
  const std::vector<float> logits = {1, 0, 2, 0, 0, 3};
  CHECK(attacks::fit_temperature(logits, std::vector<std::int32_t>{0, 0, 1}, 2) ==
        doctest::Approx(1.0 / 64).epsilon(1e-3));
  CHECK(attacks::fit_temperature(logits, std::vector<std::int32_t>{1, 1, 0}, 2) ==
        doctest::Approx(64.0).epsilon(1e-3));
}

}  // namespace inocula::test
