// Batch normalisation with the batch's and with frozen statistics, forward and backward.
#include <algorithm>
#include <cmath>

#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/reference.h"

namespace inocula::test {
namespace {

constexpr float kEps = 1e-5f;
constexpr float kMomentum = 0.1f;

/// Sums of up to 2000 values of order 1: chunks of 32 in float, the rest in double.
constexpr double kSumBound = 2e-6;
/// Normalised values and gradients: a handful of roundings on top of the statistics'.
constexpr double kMapBound = 5e-6;

struct Statistics {
  std::vector<float> mean, rstd, scale, shift, running_mean, running_var;
};

Statistics batch_statistics(const Dense& x, const PlaneShape& shape, const std::vector<float>& gamma,
                            const std::vector<float>& beta) {
  const Planes planes = to_planes(x, shape);
  const std::vector<float> padded_gamma = padded(gamma, shape), padded_beta = padded(beta, shape);
  const std::size_t channels = padded_gamma.size();
  const std::vector<float> ones = padded(std::vector<float>(gamma.size(), 1.0f), shape);
  const std::vector<float> halves = padded(std::vector<float>(gamma.size(), 0.5f), shape);
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> mean(channels, kNan), rstd(channels, kNan), scale(channels, kNan), shift(channels, kNan);
    Guarded<float> running_mean(halves), running_var(ones);
    Guarded<float> partial(2 * static_cast<std::size_t>(shape.planes() * shape.block), kNan);
    BatchStatistics args{.x = planes.data(),
                         .gamma = padded_gamma.data(),
                         .beta = padded_beta.data(),
                         .mean = mean.data(),
                         .rstd = rstd.data(),
                         .scale = scale.data(),
                         .shift = shift.data(),
                         .running_mean = running_mean.data(),
                         .running_var = running_var.data(),
                         .partial = partial.data(),
                         .shape = shape,
                         .eps = kEps,
                         .momentum = kMomentum};
    run.kernels.batch_statistics(run.queue, args);
    const Outputs first = {mean.values(),  rstd.values(),         scale.values(),
                           shift.values(), running_mean.values(), running_var.values()};
    // Again without running estimates, which stay as they are.
    args.running_mean = args.running_var = nullptr;
    run.kernels.batch_statistics(run.queue, args);
    CHECK(difference_in_bits(first, {mean.values(), rstd.values(), scale.values(), shift.values(),
                                     running_mean.values(), running_var.values()}) == "");
    partial.values();
    return first;
  });
  for (const std::vector<float>& vector : out)
    for (std::size_t c = gamma.size(); c < channels; ++c) CHECK(vector[c] == 0);
  Statistics s{out[0], out[1], out[2], out[3], out[4], out[5]};
  for (std::vector<float>* v : {&s.mean, &s.rstd, &s.scale, &s.shift, &s.running_mean, &s.running_var})
    v->resize(gamma.size());
  return s;
}

TEST_CASE("batch_statistics agrees with the double reference") {
  for (const PlaneShape& shape : batch_shapes()) {
    CAPTURE(to_string(shape));
    const Dense x = random_dense(shape, 1, -1, 3);
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    const std::vector<float> gamma = random_floats(channels, 2, 0.5f, 2), beta = random_floats(channels, 3);
    const Statistics s = batch_statistics(x, shape, gamma, beta);
    const Moments expected = moments(x);
    const double count = static_cast<double>(shape.batch * shape.pixels());
    std::vector<double> rstd, scale, shift, running_mean, running_var;
    for (std::size_t c = 0; c < channels; ++c) {
      rstd.push_back(1 / std::sqrt(expected.variance[c] + kEps));
      scale.push_back(gamma[c] * rstd[c]);
      shift.push_back(beta[c] - expected.mean[c] * scale[c]);
      running_mean.push_back((1 - kMomentum) * 0.5 + kMomentum * expected.mean[c]);
      running_var.push_back((1 - kMomentum) * 1.0 + kMomentum * expected.variance[c] * count / (count - 1));
    }
    check_near(s.mean, expected.mean, kSumBound, kSumBound, "mean");
    check_near(s.rstd, rstd, kSumBound, 0, "rstd");
    check_near(s.scale, scale, kSumBound, 0, "scale");
    check_near(s.shift, shift, 2 * kSumBound, 10 * kSumBound, "shift");
    check_near(s.running_mean, running_mean, kSumBound, kSumBound, "running mean");
    check_near(s.running_var, running_var, kSumBound, 0, "running variance");
  }
}

TEST_CASE("batch_statistics keeps a small variance beside a large mean") {
  // Mean 1000, standard deviation 0.01, of which floats at 1000 are a 160th apart: the kernel has to be as
  // exact for these floats as for any, since it sums differences from a value among them.
  for (const std::int64_t block : {1, 8, 16, 20}) {
    CAPTURE(block);
    const PlaneShape shape{.batch = 4, .channels = 20, .height = 23, .width = 29, .block = block};
    Dense x = random_dense(shape, 7, -0.01f * std::sqrt(3.0f), 0.01f * std::sqrt(3.0f));
    for (double& v : x.v) v = static_cast<float>(v + 1000);
    const std::vector<float> gamma(20, 1.0f), beta(20, 0.0f);
    const Statistics s = batch_statistics(x, shape, gamma, beta);
    const Moments expected = moments(x);
    std::vector<double> rstd;
    for (const double variance : expected.variance) rstd.push_back(1 / std::sqrt(variance + kEps));
    check_near(s.mean, expected.mean, kFloatEpsilon, 0, "mean");
    check_near(s.rstd, rstd, kSumBound, 0, "rstd");
  }
}

TEST_CASE("batch_statistics of a single value per channel") {
  const PlaneShape shape{.batch = 1, .channels = 3, .height = 1, .width = 1, .block = 8};
  Dense x(1, 3, 1, 1);
  x.v = {1, 2, 3};
  const Statistics s = batch_statistics(x, shape, {1, 1, 1}, {0, 0, 0});
  CHECK(s.mean == std::vector<float>{1, 2, 3});
  for (const float v : s.running_var) CHECK(v == doctest::Approx(0.9));
}

TEST_CASE("normalising through affine is batch norm") {
  const PlaneShape shape{.batch = 3, .channels = 17, .height = 5, .width = 7, .block = 16};
  const Dense x = random_dense(shape, 4, -2, 5);
  const std::vector<float> gamma = random_floats(17, 5), beta = random_floats(17, 6);
  const Statistics s = batch_statistics(x, shape, gamma, beta);
  const Planes planes = to_planes(x, shape);
  const std::vector<float> scale = padded(s.scale, shape), shift = padded(s.shift, shape);
  const Outputs out = same_everywhere([&](const Run& run) {
    Planes y(shape);
    run.kernels.affine(
        run.queue,
        {.x = planes.data(), .scale = scale.data(), .shift = shift.data(), .y = y.data(), .shape = shape});
    return Outputs{y.values()};
  });
  check_near(from_planes(out[0], shape), batch_norm(x, as_doubles(gamma), as_doubles(beta), kEps).v,
             kMapBound, kMapBound, "y");
}

TEST_CASE("fold_norm agrees with the double reference, with and without a bias") {
  for (const std::int64_t channels : {1, 8, 17}) {
    const std::size_t n = static_cast<std::size_t>(channels);
    const std::vector<float> gamma = random_floats(n, 1), beta = random_floats(n, 2),
                             mean = random_floats(n, 3);
    const std::vector<float> var = random_floats(n, 4, 0, 2), bias = random_floats(n, 5);
    for (const bool with_bias : {false, true}) {
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> scale(n + 7, kNan), shift(n + 7, kNan);
        run.kernels.fold_norm(run.queue, {.gamma = gamma.data(),
                                          .beta = beta.data(),
                                          .running_mean = mean.data(),
                                          .running_var = var.data(),
                                          .bias = with_bias ? bias.data() : nullptr,
                                          .scale = scale.data(),
                                          .shift = shift.data(),
                                          .channels = channels,
                                          .padded_channels = channels + 7,
                                          .eps = kEps});
        return Outputs{scale.values(), shift.values()};
      });
      std::vector<double> scale(n + 7, 0.0), shift(n + 7, 0.0);
      for (std::size_t c = 0; c < n; ++c) {
        scale[c] = gamma[c] / std::sqrt(double{var[c]} + kEps);
        shift[c] = beta[c] + ((with_bias ? bias[c] : 0.0) - mean[c]) * scale[c];
      }
      check_near(out[0], scale, kFloatEpsilon, 0, "scale");
      check_near(out[1], shift, kFloatEpsilon, 0, "shift");
    }
  }
}

TEST_CASE("backward through batch statistics agrees with the double reference") {
  for (const PlaneShape& shape : batch_shapes()) {
    if (shape.batch * shape.pixels() < 3) continue;  // two values are normalised to +-1 whatever they are
    CAPTURE(to_string(shape));
    const Dense x = random_dense(shape, 1, -1, 3), dy = random_dense(shape, 2), add = random_dense(shape, 3);
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    const std::vector<float> gamma = random_floats(channels, 4, 0.5f, 2), beta(channels, 0.0f);
    const Statistics s = batch_statistics(x, shape, gamma, beta);
    const Planes x_planes = to_planes(x, shape), dy_planes = to_planes(dy, shape),
                 add_planes = to_planes(add, shape);
    const std::vector<std::uint8_t> bits = positive_bits(x_planes.values());
    const std::vector<float> mean = padded(s.mean, shape), rstd = padded(s.rstd, shape),
                             scale = padded(s.scale, shape);
    for (const bool joined : {false, true}) {
      CAPTURE(joined);
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<float> sum_dy(mean.size(), kNan), sum_dy_xhat(mean.size(), kNan);
        Guarded<float> dgamma(mean.size(), 1.0f), dbeta(mean.size(), 2.0f);
        Planes dx(shape);
        Guarded<float> partial(2 * static_cast<std::size_t>(shape.planes() * shape.block), kNan);
        run.kernels.norm_gradient_sums(run.queue, {.x = x_planes.data(),
                                                   .dy = dy_planes.data(),
                                                   .mean = mean.data(),
                                                   .rstd = rstd.data(),
                                                   .sum_dy = sum_dy.data(),
                                                   .sum_dy_xhat = sum_dy_xhat.data(),
                                                   .dgamma = joined ? dgamma.data() : nullptr,
                                                   .dbeta = joined ? dbeta.data() : nullptr,
                                                   .partial = partial.data(),
                                                   .shape = shape});
        partial.values();
        run.kernels.norm_backward(run.queue, {.x = x_planes.data(),
                                              .dy = dy_planes.data(),
                                              .mean = mean.data(),
                                              .rstd = rstd.data(),
                                              .scale = scale.data(),
                                              .sum_dy = sum_dy.data(),
                                              .sum_dy_xhat = sum_dy_xhat.data(),
                                              .add = joined ? add_planes.data() : nullptr,
                                              .positive = joined ? bits.data() : nullptr,
                                              .dx = dx.data(),
                                              .shape = shape});
        return Outputs{sum_dy.values(), sum_dy_xhat.values(), dgamma.values(), dbeta.values(), dx.values()};
      });
      CHECK(padding_is_zero(out[4], shape));
      const BatchNormGradient expected = batch_norm_backward(x, dy, as_doubles(gamma), kEps);
      const double terms = static_cast<double>(shape.batch * shape.pixels());
      for (std::size_t c = channels; c < mean.size(); ++c) CHECK((out[0][c] == 0 && out[1][c] == 0));
      const auto real = [&](const std::vector<float>& v) {
        return std::vector<float>(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(channels));
      };
      check_near(real(out[0]), expected.dbeta, kSumBound, kSumBound * std::sqrt(terms), "sum_dy");
      check_near(real(out[1]), expected.dgamma, kSumBound, kSumBound * std::sqrt(terms), "sum_dy_xhat");
      std::vector<double> dgamma = expected.dgamma, dbeta = expected.dbeta;
      for (std::size_t c = 0; c < channels; ++c) {
        dgamma[c] = joined ? dgamma[c] + 1 : 1;
        dbeta[c] = joined ? dbeta[c] + 2 : 2;
      }
      check_near(real(out[2]), dgamma, kSumBound, kSumBound * std::sqrt(terms), "dgamma");
      check_near(real(out[3]), dbeta, kSumBound, kSumBound * std::sqrt(terms), "dbeta");
      std::vector<double> dx = expected.dx.v;
      for (std::size_t i = 0; i < dx.size(); ++i)
        if (joined) dx[i] = x.v[i] > 0 ? dx[i] + add.v[i] : 0;
      check_near(from_planes(out[4], shape), dx, kMapBound + storage_error(shape), kMapBound, "dx");
    }
  }
}

TEST_CASE("the reference's gradients are the derivatives of its forward") {
  const PlaneShape shape{.batch = 2, .channels = 3, .height = 3, .width = 2, .block = 1};
  Dense x = random_dense(shape, 1, -1, 3);
  const Dense dy = random_dense(shape, 2);
  std::vector<double> gamma = {0.7, 1.3, -0.4}, beta = {0.1, 0.2, 0.3};
  const auto value = [&] { return dot(batch_norm(x, gamma, beta, kEps).v, dy.v); };
  const BatchNormGradient gradient = batch_norm_backward(x, dy, gamma, kEps);
  CHECK(finite_difference_error(x.v, gradient.dx.v, value) <= kFiniteDifferenceBound);
  CHECK(finite_difference_error(gamma, gradient.dgamma, value) <= kFiniteDifferenceBound);
  CHECK(finite_difference_error(beta, gradient.dbeta, value) <= kFiniteDifferenceBound);
}

}  // namespace
}  // namespace inocula::test
