// Parameter updates: ten steps each against PyTorch's formulas in double.
#include <cmath>

#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr int kSteps = 10;
/// Ten steps of a few roundings each, of values of order 1.
constexpr double kBound = kSteps * 8 * kFloatEpsilon;
constexpr std::size_t kSizes[] = {1, 15, 16, 17, 4095, 4096, 4097, 20001};

std::vector<float> gradient(std::size_t n, int step) {
  return random_floats(n, 100u + static_cast<unsigned>(step));
}

TEST_CASE("sgd: plain, momentum, Nesterov, weight decay") {
  struct Setting {
    float momentum, decay;
    std::int32_t nesterov;
  };
  for (const std::size_t n : kSizes) {
    for (const Setting& s :
         {Setting{0, 0, 0}, Setting{0, 5e-4f, 0}, Setting{0.9f, 5e-4f, 0}, Setting{0.9f, 1e-2f, 1}}) {
      CAPTURE(n);
      CAPTURE(s.momentum);
      CAPTURE(s.nesterov);
      const std::vector<float> start = random_floats(n, 1);
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> param(start), velocity(n, 0.0f);
        for (int t = 0; t < kSteps; ++t) {
          const StepState state{.learning_rate = 0.1f / static_cast<float>(t + 1)};
          const std::vector<float> g = gradient(n, t);
          run.kernels.sgd(run.queue, {.param = param.data(),
                                      .gradient = g.data(),
                                      .velocity = s.momentum > 0 ? velocity.data() : nullptr,
                                      .state = &state,
                                      .size = static_cast<std::int64_t>(n),
                                      .momentum = s.momentum,
                                      .decay = s.decay,
                                      .nesterov = s.nesterov});
        }
        return Outputs{param.values(), velocity.values()};
      });
      std::vector<double> param = as_doubles(start), velocity(n, 0.0);
      for (int t = 0; t < kSteps; ++t) {
        const double rate = 0.1f / static_cast<float>(t + 1);
        const std::vector<float> g = gradient(n, t);
        for (std::size_t i = 0; i < n; ++i) {
          const double decayed = g[i] + s.decay * param[i];
          velocity[i] = s.momentum * velocity[i] + decayed;
          param[i] -= rate * (s.nesterov != 0 ? decayed + s.momentum * velocity[i] : velocity[i]);
        }
      }
      check_near(out[0], param, kBound, kBound, "param");
      if (s.momentum > 0) check_near(out[1], velocity, kBound, kBound, "velocity");
    }
  }
}

TEST_CASE("adam agrees with the double reference") {
  for (const std::size_t n : kSizes) {
    for (const float decay : {0.0f, 1e-2f}) {
      CAPTURE(n);
      CAPTURE(decay);
      const std::vector<float> start = random_floats(n, 1);
      const float beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, rate = 1e-2f;
      const auto correction = [](float beta, int t) {
        return static_cast<float>(1 - std::pow(double{beta}, t + 1));
      };
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> param(start), mean(n, 0.0f), variance(n, 0.0f);
        for (int t = 0; t < kSteps; ++t) {
          const StepState state{.learning_rate = rate,
                                .adam_correction1 = correction(beta1, t),
                                .adam_correction2 = correction(beta2, t)};
          const std::vector<float> g = gradient(n, t);
          run.kernels.adam(run.queue, {.param = param.data(),
                                       .gradient = g.data(),
                                       .mean = mean.data(),
                                       .variance = variance.data(),
                                       .state = &state,
                                       .size = static_cast<std::int64_t>(n),
                                       .beta1 = beta1,
                                       .beta2 = beta2,
                                       .eps = eps,
                                       .decay = decay});
        }
        return Outputs{param.values(), mean.values(), variance.values()};
      });
      std::vector<double> param = as_doubles(start), mean(n, 0.0), variance(n, 0.0);
      for (int t = 0; t < kSteps; ++t) {
        const std::vector<float> g = gradient(n, t);
        const double c1 = 1 - std::pow(double{beta1}, t + 1), c2 = 1 - std::pow(double{beta2}, t + 1);
        for (std::size_t i = 0; i < n; ++i) {
          const double decayed = g[i] + decay * param[i];
          mean[i] = beta1 * mean[i] + (1 - double{beta1}) * decayed;
          variance[i] = beta2 * variance[i] + (1 - double{beta2}) * decayed * decayed;
          param[i] -= rate / c1 * mean[i] / (std::sqrt(variance[i] / c2) + eps);
        }
      }
      check_near(out[0], param, kBound, kBound, "param");
      check_near(out[1], mean, kBound, kBound, "mean");
      check_near(out[2], variance, kBound, kBound, "variance");
    }
  }
}

TEST_CASE("fill and scale_rows") {
  for (const std::size_t n : kSizes) {
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> to(n, kNan);
      run.kernels.fill(run.queue, {.to = to.data(), .size = static_cast<std::int64_t>(n), .value = 2.5f});
      return Outputs{to.values()};
    });
    CHECK(out[0] == std::vector<float>(n, 2.5f));
    const PlaneShape shape{.batch = 1,
                           .channels = 1,
                           .height = 1,
                           .width = static_cast<std::int64_t>(n),
                           .element = Element::bf16};
    const Outputs rounded = same_everywhere([&](const Run& run) {
      Planes to(shape);
      run.kernels.fill(run.queue,
                       {.to = to.data(), .size = shape.size(), .value = 0.3f, .element = shape.element});
      return Outputs{to.values()};
    });
    CHECK(rounded[0] == std::vector<float>(n, nearest(0.3f, Element::bf16)));
  }
  for (const std::int64_t cols : {1, 9, 1000}) {
    const std::size_t n = static_cast<std::size_t>(7 * cols);
    const std::vector<float> from = random_floats(n, 1), scale = random_floats(7, 2);
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> to(n, kNan);
      run.kernels.scale_rows(
          run.queue, {.from = from.data(), .scale = scale.data(), .to = to.data(), .rows = 7, .cols = cols});
      return Outputs{to.values()};
    });
    for (std::size_t i = 0; i < n; ++i)
      CHECK(out[0][i] == from[i] * scale[i / static_cast<std::size_t>(cols)]);
  }
}

}  // namespace
}  // namespace inocula::test
