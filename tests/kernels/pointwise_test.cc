// Scale, shift, residual and ReLU with their sign bits, and the joining of gradients.
#include <algorithm>

#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

/// A product, two sums of terms of order 1, each rounded once.
constexpr double kBound = 4 * kFloatEpsilon;

/// Which of a kernel's optional arguments are given, one bit each.
bool given(int options, int which) {
  return (options >> which & 1) != 0;
}

template <class T>
const T* if_given(int options, int which, const std::vector<T>& values) {
  return given(options, which) ? values.data() : nullptr;
}

TEST_CASE("affine agrees with the double reference, and its bits with its result") {
  for (const PlaneShape& shape : plane_shapes()) {
    CAPTURE(to_string(shape));
    const Dense x = random_dense(shape, 1), residual = random_dense(shape, 2);
    const Planes x_planes = to_planes(x, shape), residual_planes = to_planes(residual, shape);
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    const std::vector<float> scale = random_floats(channels, 3, -2, 2), shift = random_floats(channels, 4);
    const std::vector<float> padded_scale = padded(scale, shape), padded_shift = padded(shift, shape);
    for (int options = 0; options < 32; ++options) {
      CAPTURE(options);
      // Without a shift the padding stays zero by itself; with one it is the vectors' padding that keeps it.
      const bool relu = given(options, 3), bits = given(options, 4);
      const Outputs out = same_everywhere([&](const Run& run) {
        Planes y(shape);
        Guarded<std::uint8_t> positive(bits ? (x_planes.size() + 7) / 8 : 0, 0xFF);
        run.kernels.affine(run.queue, {.x = x_planes.data(),
                                       .scale = if_given(options, 0, padded_scale),
                                       .shift = if_given(options, 1, padded_shift),
                                       .residual = given(options, 2) ? residual_planes.data() : nullptr,
                                       .y = y.data(),
                                       .positive = bits ? positive.data() : nullptr,
                                       .shape = shape,
                                       .activation = relu ? Activation::relu : Activation::none});
        return Outputs{y.values(), as_floats(positive.values())};
      });
      std::vector<double> expected;
      for (std::size_t i = 0; i < x.v.size(); ++i) {
        const std::size_t c = i / static_cast<std::size_t>(shape.pixels()) % channels;
        double y = x.v[i] * (given(options, 0) ? scale[c] : 1) + (given(options, 1) ? shift[c] : 0);
        if (given(options, 2)) y += residual.v[i];
        expected.push_back(relu ? std::max(y, 0.0) : y);
      }
      check_near(from_planes(out[0], shape), expected, kBound + storage_error(shape), kBound, "y");
      CHECK(padding_is_zero(out[0], shape));
      if (bits) CHECK(out[1] == as_floats(positive_bits(out[0])));
    }
  }
}

TEST_CASE("affine in place, and NaN passes through ReLU") {
  const PlaneShape shape{.batch = 1, .channels = 16, .height = 3, .width = 3, .block = 16};
  const std::vector<float> x = random_floats(144, 5);
  const std::vector<float> scale(16, 2.0f);
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> apart(144), in_place(x);
    in_place[77] = kNan;
    run.kernels.affine(run.queue, {.x = x.data(),
                                   .scale = scale.data(),
                                   .y = apart.data(),
                                   .shape = shape,
                                   .activation = Activation::relu});
    Guarded<std::uint8_t> bits(18);
    run.kernels.affine(run.queue, {.x = in_place.data(),
                                   .scale = scale.data(),
                                   .y = in_place.data(),
                                   .positive = bits.data(),
                                   .shape = shape,
                                   .activation = Activation::relu});
    CHECK((bits[77 / 8] >> (77 % 8) & 1) == 0);
    return Outputs{apart.values(), in_place.values()};
  });
  CHECK(std::isnan(out[1][77]));
  for (std::size_t i = 0; i < 144; ++i)
    if (i != 77) CHECK(out[0][i] == out[1][i]);
}

TEST_CASE("pack_positive: every tail, and the sign of zero, infinity and NaN, of floats and of bf16") {
  for (const std::size_t n : {1u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 2047u, 2048u, 2049u, 10007u}) {
    CAPTURE(n);
    std::vector<float> values = random_floats(n, 6);
    // The last two are the smallest numbers that bf16 has.
    const float special[] = {0.0f, -0.0f, kNan, -kNan, kInfinity, -kInfinity, 0x1p-133f, -0x1p-133f};
    for (std::size_t i = 0; i < n; i += 3) values[i] = special[i % 8];
    for (const Element element : {Element::f32, Element::bf16}) {
      const Planes y(values, element);
      const Outputs out = same_everywhere([&](const Run& run) {
        Guarded<std::uint8_t> bits((n + 7) / 8, 0xFF);
        run.kernels.pack_positive(run.queue, {.y = y.data(),
                                              .positive = bits.data(),
                                              .size = static_cast<std::int64_t>(n),
                                              .element = element});
        return Outputs{as_floats(bits.values())};
      });
      CHECK(out[0] == as_floats(positive_bits(y.values())));
    }
  }
}

TEST_CASE("join_gradient agrees with the double reference") {
  for (const PlaneShape& shape : plane_shapes()) {
    CAPTURE(to_string(shape));
    const Dense dy = random_dense(shape, 1), add = random_dense(shape, 2), sign = random_dense(shape, 3);
    const Planes dy_planes = to_planes(dy, shape), add_planes = to_planes(add, shape);
    const std::vector<std::uint8_t> bits = positive_bits(to_planes(sign, shape).values());
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    const std::vector<float> scale = random_floats(channels, 4, -2, 2), padded_scale = padded(scale, shape);
    for (int options = 0; options < 8; ++options) {
      CAPTURE(options);
      const auto run_into = [&](const Run& run, const void* from_dy, const void* from_add, void* dx) {
        run.kernels.join_gradient(run.queue, {.dy = from_dy,
                                              .scale = if_given(options, 0, padded_scale),
                                              .add = given(options, 1) ? from_add : nullptr,
                                              .positive = if_given(options, 2, bits),
                                              .dx = dx,
                                              .shape = shape});
      };
      const Outputs out = same_everywhere([&](const Run& run) {
        Planes dx(shape), over_dy(dy_planes), over_add(add_planes);
        run_into(run, dy_planes.data(), add_planes.data(), dx.data());
        run_into(run, over_dy.data(), add_planes.data(), over_dy.data());
        run_into(run, dy_planes.data(), over_add.data(), over_add.data());
        return Outputs{dx.values(), over_dy.values(), over_add.values()};
      });
      std::vector<double> expected;
      for (std::size_t i = 0; i < dy.v.size(); ++i) {
        const std::size_t c = i / static_cast<std::size_t>(shape.pixels()) % channels;
        const double dx = dy.v[i] * (given(options, 0) ? scale[c] : 1) + (given(options, 1) ? add.v[i] : 0);
        expected.push_back(given(options, 2) && !(sign.v[i] > 0) ? 0 : dx);
      }
      check_near(from_planes(out[0], shape), expected, kBound + storage_error(shape), kBound, "dx");
      CHECK(padding_is_zero(out[0], shape));
      CHECK(difference_in_bits({out[0], out[0]}, {out[1], out[2]}) == "");
    }
  }
}

TEST_CASE("join_gradient drops even a NaN where the ReLU was closed") {
  const PlaneShape shape{.batch = 1, .channels = 1, .height = 1, .width = 19};
  const std::vector<float> dy(19, kNan);
  const std::vector<std::uint8_t> bits(3, 0);
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> dx(19, 1.0f);
    run.kernels.join_gradient(run.queue,
                              {.dy = dy.data(), .positive = bits.data(), .dx = dx.data(), .shape = shape});
    return Outputs{dx.values()};
  });
  CHECK(out[0] == std::vector<float>(19, 0.0f));
}

}  // namespace
}  // namespace inocula::test
