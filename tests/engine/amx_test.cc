// AMX's convolutions against direct summation in double: every window and stride, both layouts, odd sizes.
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "engine/backends/cpu/amx/pass.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using cpu::AmxDirection;
using cpu::AmxPass;

struct Case {
  std::int64_t batch, inputs, outputs, height, width;
  ConvWindow window;

  Shape in() const { return {batch, inputs, height, width}; }
  Shape out() const {
    const auto size = [](std::int64_t in, std::int64_t k, std::int64_t stride, std::int64_t pad,
                         std::int64_t d) { return (in + 2 * pad - d * (k - 1) - 1) / stride + 1; };
    return {batch, outputs, size(height, window.kernel_h, window.stride_h, window.pad_h, window.dilation_h),
            size(width, window.kernel_w, window.stride_w, window.pad_w, window.dilation_w)};
  }
  std::string to_string() const {
    return in().to_string() + " to " + out().to_string() + ", " + window.to_string();
  }
};

ConvWindow window(std::int64_t kernel, std::int64_t stride, std::int64_t pad, std::int64_t dilation = 1) {
  return {kernel, kernel, stride, stride, pad, pad, dilation, dilation};
}

/// What ResNet has, what fills no tile and no record, and what fills them all.
const std::vector<Case> kCases{
    {3, 16, 16, 28, 28, window(3, 1, 1)},    {5, 32, 64, 14, 14, window(3, 1, 1)},
    {9, 64, 48, 7, 7, window(3, 1, 1)},      {2, 3, 5, 5, 6, window(3, 1, 1)},
    {3, 40, 33, 4, 4, window(3, 1, 1)},      {3, 16, 32, 28, 28, window(3, 2, 1)},
    {2, 32, 64, 7, 7, window(3, 2, 1)},      {3, 20, 70, 9, 15, window(1, 2, 0)},
    {2, 48, 17, 6, 5, window(1, 1, 0)},      {2, 33, 20, 11, 9, window(5, 2, 2)},
    {1, 17, 16, 12, 13, window(3, 1, 2, 2)}, {2, 16, 24, 9, 10, window(3, 1, 0)},
    {2, 18, 16, 15, 14, window(7, 2, 3)},    {1, 16, 16, 8, 9, {3, 1, 1, 2, 1, 0, 1, 1}},
    {2, 48, 16, 10, 11, window(2, 3, 0)}};

float rounded(float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
/// Uniform on [-1, 1), as bf16 holds them.
std::vector<float> random_bf16(std::int64_t n, unsigned seed) {
  std::vector<float> v = random_images({1, 1, 1, n}, seed);
  for (float& f : v) f = rounded(2 * f - 1);
  return v;
}

std::size_t at(const Shape& s, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return static_cast<std::size_t>(((n * s.c + c) * s.h + h) * s.w + w);
}
PlaneShape planes(const Shape& s, bool channels_last) {
  return {s.n, s.c, s.h, s.w, channels_last ? (s.c + 15) / 16 * 16 : 16, Element::bf16};
}

/// Calls f(index in planes, index in plain or -1 in the channels that fill the last block up).
template <class F>
void each_element(const PlaneShape& s, const F& f) {
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t c = 0; c < s.padded_channels(); ++c)
      for (std::int64_t i = 0; i < s.pixels(); ++i)
        f(static_cast<std::size_t>(((n * s.blocks() + c / s.block) * s.pixels() + i) * s.block + c % s.block),
          c < s.channels ? (n * s.channels + c) * s.pixels() + i : -1);
}
std::vector<Bf16> to_planes(const std::vector<float>& plain, const PlaneShape& s) {
  std::vector<Bf16> v(static_cast<std::size_t>(s.size()));
  each_element(s, [&](std::size_t to, std::int64_t from) {
    std::uint32_t bits = 0;
    if (from >= 0) std::memcpy(&bits, &plain[static_cast<std::size_t>(from)], sizeof bits);
    v[to] = {static_cast<std::uint16_t>(bits >> 16)};
  });
  return v;
}
std::vector<float> from_planes(const std::vector<Bf16>& v, const PlaneShape& s) {
  std::vector<float> plain(static_cast<std::size_t>(s.batch * s.channels * s.pixels()));
  each_element(s, [&](std::size_t from, std::int64_t to) {
    const std::uint32_t bits = static_cast<std::uint32_t>(v[from].bits) << 16;
    if (to >= 0)
      std::memcpy(&plain[static_cast<std::size_t>(to)], &bits, sizeof bits);
    else
      REQUIRE(
          (bits == 0 || (bits & 0x7fffffffu) > 0x7f800000u));  // padding stays zero, but 0 times no number
  });
  return plain;
}

/// A case's operands and what direct summation in double makes of them.
struct Expected {
  std::vector<float> x, weights, scale, bias, residual, dy, add;
  std::vector<double> y;   ///< relu(x * weights, times scale, + bias + residual)
  std::vector<double> dx;  ///< the adjoint of dy, + add

  explicit Expected(const Case& c)
      : x(random_bf16(c.in().size(), 1)),
        weights(random_bf16(c.outputs * c.inputs * c.window.kernel_h * c.window.kernel_w, 2)),
        scale(random_bf16(c.outputs, 3)),
        bias(random_bf16(c.outputs, 4)),
        residual(random_bf16(c.out().size(), 5)),
        dy(random_bf16(c.out().size(), 6)),
        add(random_bf16(c.in().size(), 7)),
        y(to_doubles(residual)),
        dx(to_doubles(add)) {
    const Shape in = c.in(), out = c.out();
    const ConvWindow& w = c.window;
    for (std::int64_t n = 0; n < out.n; ++n)
      for (std::int64_t o = 0; o < out.c; ++o)
        for (std::int64_t h = 0; h < out.h; ++h)
          for (std::int64_t v = 0; v < out.w; ++v) {
            const std::size_t to = at(out, n, o, h, v);
            double sum = 0;
            for (std::int64_t i = 0; i < in.c; ++i)
              for (std::int64_t r = 0; r < w.kernel_h; ++r)
                for (std::int64_t s = 0; s < w.kernel_w; ++s) {
                  const std::int64_t row = h * w.stride_h + r * w.dilation_h - w.pad_h;
                  const std::int64_t col = v * w.stride_w + s * w.dilation_w - w.pad_w;
                  if (row < 0 || row >= in.h || col < 0 || col >= in.w) continue;
                  const double weight =
                      weights[static_cast<std::size_t>(((o * in.c + i) * w.kernel_h + r) * w.kernel_w + s)];
                  sum += weight * x[at(in, n, i, row, col)];
                  dx[at(in, n, i, row, col)] += weight * dy[to];
                }
            const auto channel = static_cast<std::size_t>(o);
            y[to] = std::max(0.0, y[to] + sum * scale[channel] + bias[channel]);
          }
  }
};

/// What the kernels make of them, in plain order.
struct Actual {
  std::vector<float> y, dx;

  bool operator==(const Actual&) const = default;
};

std::vector<float> padded(std::vector<float> v) {
  v.resize((v.size() + 15) / 16 * 16);
  return v;
}

/// Tiles are stored whole lines at a time.
struct alignas(64) Line {
  Bf16 v[32];
};
std::vector<Line> lines(std::int64_t elements) {
  return std::vector<Line>(static_cast<std::size_t>(elements / 32 + 1), [] {
    Line nan;
    std::fill(std::begin(nan.v), std::end(nan.v), Bf16{0x7fc0});
    return nan;
  }());
}

Actual run(const Case& c, const Expected& e, bool channels_last, int threads) {
  const cpu::AmxKernels& kernels = *cpu::find_amx_kernels();
  const Queue queue{.threads = threads, .stream = nullptr};
  const PlaneShape in = planes(c.in(), channels_last), out = planes(c.out(), channels_last);
  const auto prepare = [&](const AmxPass& pass, bool transposed) {
    std::vector<Line> weights = lines(pass.weights_size());
    kernels.prepare_weights(queue, {.plain = e.weights.data(),
                                    .to = weights.data()->v,
                                    .outputs = c.outputs,
                                    .inputs = c.inputs,
                                    .window_h = c.window.kernel_h,
                                    .window_w = c.window.kernel_w,
                                    .transposed = transposed,
                                    .shape = pass.shape()});
    return weights;
  };
  Actual actual;

  const AmxPass forward(c.window, AmxDirection::forward, in, out, threads);
  std::vector<Line> weights = prepare(forward, false);
  const std::vector<Bf16> x = to_planes(e.x, in), residual = to_planes(e.residual, out),
                          dy = to_planes(e.dy, out), add = to_planes(e.add, in);
  const std::vector<float> scale = padded(e.scale), bias = padded(e.bias);
  std::vector<Bf16> y(residual.size(), Bf16{0x7fc0}), dx(x.size(), Bf16{0x7fc0}), unmasked = dx;
  std::vector<std::uint8_t> positive(y.size() / 8);
  std::vector<Line> scratch = lines(threads * cpu::amx_scratch(forward.shape()));
  kernels.convolve(queue, {.x = x.data(),
                           .weights = weights.data()->v,
                           .scale = scale.data(),
                           .bias = bias.data(),
                           .add = residual.data(),
                           .y = y.data(),
                           .positive = positive.data(),
                           .scratch = scratch.data()->v,
                           .shape = forward.shape(),
                           .relu = true});
  for (std::size_t i = 0; i < y.size(); ++i)
    REQUIRE((positive[i / 8] >> i % 8 & 1) == (y[i].bits != 0 && y[i].bits <= 0x7f80));
  actual.y = from_planes(y, out);

  const AmxPass backward(c.window, AmxDirection::backward_data, out, in, threads);
  weights = prepare(backward, true);
  scratch = lines(threads * cpu::amx_scratch(backward.shape()));
  // Every third element is masked.
  std::vector<std::uint8_t> mask(dx.size() / 8);
  for (std::size_t i = 0; i < dx.size(); ++i)
    mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | (i % 3 != 0) << i % 8);
  cpu::AmxConvolve call{.x = dy.data(),
                        .weights = weights.data()->v,
                        .add = add.data(),
                        .mask = mask.data(),
                        .y = dx.data(),
                        .scratch = scratch.data()->v,
                        .shape = backward.shape()};
  kernels.convolve(queue, call);
  call.mask = nullptr;
  call.y = unmasked.data();
  kernels.convolve(queue, call);
  for (std::size_t i = 0; i < dx.size(); ++i) REQUIRE(dx[i].bits == (i % 3 != 0 ? unmasked[i].bits : 0));
  actual.dx = from_planes(unmasked, in);
  return actual;
}

/// Largest difference in units of what rounding to bf16 allows: half a unit of 8 bits, and the sums' own.
double error(const std::vector<float>& actual, const std::vector<double>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(actual[i] - expected[i]), allowed = std::abs(expected[i]) / 256 + 1e-4;
    worst = std::max(worst, std::isfinite(difference) ? difference / allowed : INFINITY);
  }
  return worst;
}

}  // namespace

TEST_CASE("amx: outputs and gradients of every shape against direct summation in double") {
  if (cpu::find_amx_kernels() == nullptr) {
    MESSAGE("skipped: this processor has no AMX for bf16");
    return;
  }
  for (const Case& c : kCases) {
    INFO(c.to_string());
    const Expected expected(c);
    const Actual actual = run(c, expected, /*channels_last=*/true, 1);
    CHECK(error(actual.y, expected.y) < 1);
    CHECK(error(actual.dx, expected.dx) < 1);
    // Neither the layout nor the threads, which say how many images are computed together, change a bit.
    CHECK(run(c, expected, /*channels_last=*/false, 1) == actual);
    CHECK(run(c, expected, /*channels_last=*/true, 3) == actual);
  }
}

TEST_CASE("amx: an image that is no number leaves the others as they are") {
  if (cpu::find_amx_kernels() == nullptr) {
    MESSAGE("skipped: this processor has no AMX for bf16");
    return;
  }
  for (const Case& c : kCases) {
    INFO(c.to_string());
    if (c.batch == 1) continue;
    Expected e(c);
    const Actual before = run(c, e, /*channels_last=*/true, 1);
    const std::size_t in = e.x.size() / static_cast<std::size_t>(c.batch);
    const std::size_t out = e.dy.size() / static_cast<std::size_t>(c.batch);
    std::fill_n(e.x.begin() + static_cast<std::ptrdiff_t>(in), in, NAN);
    std::fill_n(e.dy.begin() + static_cast<std::ptrdiff_t>(out), out, NAN);
    const Actual after = run(c, e, /*channels_last=*/true, 1);
    const auto same_but_one = [&](const std::vector<float>& a, const std::vector<float>& b) {
      const std::size_t size = a.size() / static_cast<std::size_t>(c.batch);
      for (std::size_t i = 0; i < a.size(); ++i)
        if (i / size != 1 && !(a[i] == b[i])) return false;
      return true;
    };
    CHECK(same_but_one(before.y, after.y));
    CHECK(same_but_one(before.dx, after.dx));
  }
}

}  // namespace inocula::test
