// Our own convolutions against direct summation in double: every tile, both instruction sets, odd sizes.
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/backends/cpu/winograd/tile.h"
#include "engine/backends/cpu/winograd/winograd.h"
#include "engine/backends/cpu/winograd_conv.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using cpu::WinogradKernels;
using cpu::WinogradShape;
using cpu::WinogradTile;

/// A number with the operations that a transform asks for.
struct Exact {
  double v = 0;
};
Exact operator+(Exact a, Exact b) {
  return {a.v + b.v};
}
Exact operator-(Exact a, Exact b) {
  return {a.v - b.v};
}
Exact operator*(Exact a, Exact b) {
  return {a.v * b.v};
}
Exact multiply_add(Exact a, Exact b, Exact c) {
  return {a.v * b.v + c.v};
}
Exact multiply_subtract(Exact a, Exact b, Exact c) {
  return {c.v - a.v * b.v};
}
Exact constant(double v, Exact) {
  return {v};
}

/// Uniform on [-1, 1).
std::vector<float> random_floats(std::int64_t n, unsigned seed) {
  std::vector<float> v = random_images({1, 1, 1, n}, seed);
  for (float& f : v) f = 2 * f - 1;
  return v;
}
std::vector<Exact> random_exacts(int n, unsigned seed) {
  std::vector<Exact> v;
  for (const float f : random_floats(n, seed)) v.push_back({f});
  return v;
}

/// One dimension of F(m, r): outputs, and both gradients that are its adjoints.
template <class Tile>
void check_tile() {
  const std::vector<Exact> d = random_exacts(Tile::points, 1), g = random_exacts(Tile::taps, 2),
                           dy = random_exacts(Tile::outputs, 3);
  std::vector<Exact> t(Tile::points), u(Tile::points), m(Tile::points), y(Tile::outputs), z(Tile::points),
      du(Tile::points), dg(Tile::taps);
  Tile::data(d.data(), t.data());
  Tile::filter(g.data(), u.data());
  Tile::output_adjoint(dy.data(), z.data());
  for (int p = 0; p < Tile::points; ++p) {
    m[static_cast<std::size_t>(p)] = t[static_cast<std::size_t>(p)] * u[static_cast<std::size_t>(p)];
    du[static_cast<std::size_t>(p)] = t[static_cast<std::size_t>(p)] * z[static_cast<std::size_t>(p)];
  }
  Tile::output(m.data(), y.data());
  Tile::filter_adjoint(du.data(), dg.data());
  for (int i = 0; i < Tile::outputs; ++i) {
    double expected = 0;
    for (int k = 0; k < Tile::taps; ++k)
      expected += d[static_cast<std::size_t>(i + k)].v * g[static_cast<std::size_t>(k)].v;
    CHECK(y[static_cast<std::size_t>(i)].v == doctest::Approx(expected).epsilon(1e-11));
  }
  for (int k = 0; k < Tile::taps; ++k) {
    double expected = 0;
    for (int i = 0; i < Tile::outputs; ++i)
      expected += d[static_cast<std::size_t>(i + k)].v * dy[static_cast<std::size_t>(i)].v;
    CHECK(dg[static_cast<std::size_t>(k)].v == doctest::Approx(expected).epsilon(1e-11));
  }
}

/// A convolution of 3x3 windows at stride 1.
struct Case {
  std::int64_t batch, inputs, outputs, height, width, pad_h, pad_w;

  std::int64_t out_h() const { return height + 2 * pad_h - 2; }
  std::int64_t out_w() const { return width + 2 * pad_w - 2; }
  Shape in() const { return {batch, inputs, height, width}; }
  Shape out() const { return {batch, outputs, out_h(), out_w()}; }
  WinogradShape shape(WinogradTile tile, std::int64_t lanes) const {
    return {.tile = tile,
            .lanes = lanes,
            .batch = batch,
            .in_blocks = (inputs + lanes - 1) / lanes,
            .out_blocks = (outputs + lanes - 1) / lanes,
            .in_h = height,
            .in_w = width,
            .out_h = out_h(),
            .out_w = out_w(),
            .pad_h = pad_h,
            .pad_w = pad_w};
  }
};

/// What fits no tile, no block and no panel, and what fits them all.
const std::vector<Case> kCases{{2, 3, 5, 5, 6, 1, 1},     {1, 16, 64, 14, 14, 1, 1}, {3, 20, 33, 7, 7, 1, 1},
                               {2, 17, 100, 9, 15, 0, 2}, {1, 70, 8, 8, 16, 2, 0},   {5, 32, 48, 4, 4, 1, 1}};

std::size_t at(const Shape& s, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return static_cast<std::size_t>(((n * s.c + c) * s.h + h) * s.w + w);
}

/// (n, c, h, w) to (n, c / lanes, h, w, lanes), zeros in the channels that fill the last block up.
std::vector<float> to_blocks(const std::vector<float>& plain, const Shape& s, std::int64_t lanes) {
  const std::int64_t blocks = (s.c + lanes - 1) / lanes;
  std::vector<float> blocked(static_cast<std::size_t>(s.n * blocks * s.h * s.w * lanes));
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < s.c; ++c)
      for (std::int64_t i = 0; i < s.h * s.w; ++i)
        blocked[static_cast<std::size_t>(((n * blocks + c / lanes) * s.h * s.w + i) * lanes + c % lanes)] =
            plain[static_cast<std::size_t>((n * s.c + c) * s.h * s.w + i)];
  return blocked;
}
std::vector<float> from_blocks(const std::vector<float>& blocked, const Shape& s, std::int64_t lanes) {
  const std::int64_t blocks = (s.c + lanes - 1) / lanes;
  std::vector<float> plain(static_cast<std::size_t>(s.size()));
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < blocks * lanes; ++c)
      for (std::int64_t i = 0; i < s.h * s.w; ++i) {
        const float v =
            blocked[static_cast<std::size_t>(((n * blocks + c / lanes) * s.h * s.w + i) * lanes + c % lanes)];
        if (c < s.c)
          plain[static_cast<std::size_t>((n * s.c + c) * s.h * s.w + i)] = v;
        else
          REQUIRE(v == 0);  // padding stays zero
      }
  return plain;
}

/// Calls f(x's index, y's index, weight's index) for every product of the convolution.
template <class F>
void each_product(const Case& c, const F& f) {
  const Shape in = c.in(), out = c.out();
  for (std::int64_t n = 0; n < c.batch; ++n)
    for (std::int64_t o = 0; o < c.outputs; ++o)
      for (std::int64_t i = 0; i < c.inputs; ++i)
        for (std::int64_t h = 0; h < out.h; ++h)
          for (std::int64_t w = 0; w < out.w; ++w)
            for (std::int64_t k = 0; k < 9; ++k) {
              const std::int64_t row = h + k / 3 - c.pad_h, col = w + k % 3 - c.pad_w;
              if (row < 0 || row >= in.h || col < 0 || col >= in.w) continue;
              f(at(in, n, i, row, col), at(out, n, o, h, w),
                static_cast<std::size_t>((o * c.inputs + i) * 9 + k));
            }
}

/// A case's operands and what direct summation in double makes of them.
struct Expected {
  std::vector<float> x, weights, scale, bias, residual, dy, add, dw;
  std::vector<double> y;         ///< relu(x * scale weights + bias + residual)
  std::vector<double> dx;        ///< the adjoint of dy, + add
  std::vector<double> gradient;  ///< dw + the filters' gradient

  explicit Expected(const Case& c)
      : x(random_floats(c.in().size(), 1)),
        weights(random_floats(c.outputs * c.inputs * 9, 2)),
        scale(random_floats(c.outputs, 3)),
        bias(random_floats(c.outputs, 4)),
        residual(random_floats(c.out().size(), 5)),
        dy(random_floats(c.out().size(), 6)),
        add(random_floats(c.in().size(), 7)),
        dw(random_floats(c.outputs * c.inputs * 9, 8)),
        y(to_doubles(residual)),
        dx(to_doubles(add)),
        gradient(to_doubles(dw)) {
    const auto per_output = static_cast<std::size_t>(c.inputs * 9);
    each_product(c, [&](std::size_t i, std::size_t o, std::size_t k) {
      const double w = static_cast<double>(scale[k / per_output]) * weights[k];
      y[o] += w * x[i];
      dx[i] += w * dy[o];
      gradient[k] += static_cast<double>(x[i]) * dy[o];
    });
    const auto pixels = static_cast<std::size_t>(c.out_h() * c.out_w());
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = std::max(0.0, y[i] + bias[i / pixels % static_cast<std::size_t>(c.outputs)]);
  }
};

/// What our kernels make of them, in plain order.
struct Actual {
  std::vector<float> y, dx, gradient;

  bool operator==(const Actual&) const = default;
};

/// How a call is cut; no number may depend on it.
struct Cut {
  int threads = 1;
  std::int64_t tiles = 0;  ///< 0: as chosen
  bool shared = false;
};

/// Weights are stored line by line.
struct alignas(64) Line {
  float v[16];
};
std::vector<Line> weight_lines(const WinogradShape& s) {
  return std::vector<Line>(static_cast<std::size_t>(s.weights_size() / 16 + 1));
}

std::vector<float> padded(std::vector<float> v, std::int64_t lanes) {
  v.resize((v.size() + static_cast<std::size_t>(lanes) - 1) / static_cast<std::size_t>(lanes) *
           static_cast<std::size_t>(lanes));
  return v;
}

Actual run(const WinogradKernels& kernels, const Case& c, WinogradTile tile, const Expected& e,
           const Cut& cut) {
  const Queue queue{.threads = cut.threads, .stream = nullptr};
  const std::int64_t lanes = kernels.lanes;
  const auto blocking = [&](const WinogradShape& s) {
    return cut.tiles == 0 ? cpu::choose_blocking(s, cut.threads)
                          : cpu::WinogradBlocking{cut.tiles, cut.shared};
  };
  const auto floats = [](std::int64_t n) { return std::vector<float>(static_cast<std::size_t>(n), NAN); };
  Actual actual;

  const WinogradShape forward = c.shape(tile, lanes);
  std::vector<Line> u = weight_lines(forward);
  kernels.transform_weights(queue, {.plain = e.weights.data(),
                                    .u = u.data()->v,
                                    .shape = forward,
                                    .outputs = c.outputs,
                                    .inputs = c.inputs});
  const std::vector<float> x = to_blocks(e.x, c.in(), lanes),
                           residual = to_blocks(e.residual, c.out(), lanes), bias = padded(e.bias, lanes),
                           scale = padded(e.scale, lanes), dy = to_blocks(e.dy, c.out(), lanes),
                           add = to_blocks(e.add, c.in(), lanes);
  std::vector<float> y(residual.size(), NAN), dx(x.size(), NAN);
  std::vector<std::uint8_t> positive(y.size() / 8);
  std::vector<float> scratch = floats(cpu::convolve_scratch(forward, blocking(forward), cut.threads));
  kernels.convolve(queue, {.x = x.data(),
                           .u = u.data()->v,
                           .out_scale = scale.data(),
                           .bias = bias.data(),
                           .add = residual.data(),
                           .y = y.data(),
                           .positive = positive.data(),
                           .scratch = scratch.data(),
                           .shape = forward,
                           .blocking = blocking(forward),
                           .relu = true});
  for (std::size_t i = 0; i < y.size(); ++i) REQUIRE((positive[i / 8] >> i % 8 & 1) == (y[i] > 0));
  actual.y = from_blocks(y, c.out(), lanes);

  const Case turned{c.batch, c.outputs, c.inputs, c.out_h(), c.out_w(), 2 - c.pad_h, 2 - c.pad_w};
  const WinogradShape backward = turned.shape(tile, lanes);
  u = weight_lines(backward);
  kernels.transform_weights(queue, {.plain = e.weights.data(),
                                    .u = u.data()->v,
                                    .shape = backward,
                                    .outputs = c.outputs,
                                    .inputs = c.inputs,
                                    .transposed = true});
  // Every third element is masked.
  std::vector<std::uint8_t> mask(dx.size() / 8);
  for (std::size_t i = 0; i < dx.size(); ++i)
    mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | (i % 3 != 0) << i % 8);
  scratch = floats(cpu::convolve_scratch(backward, blocking(backward), cut.threads));
  kernels.convolve(queue, {.x = dy.data(),
                           .u = u.data()->v,
                           .in_scale = scale.data(),
                           .add = add.data(),
                           .mask = mask.data(),
                           .y = dx.data(),
                           .scratch = scratch.data(),
                           .shape = backward,
                           .blocking = blocking(backward)});
  std::vector<float> unmasked(dx.size(), NAN);
  kernels.convolve(queue, {.x = dy.data(),
                           .u = u.data()->v,
                           .in_scale = scale.data(),
                           .add = add.data(),
                           .y = unmasked.data(),
                           .scratch = scratch.data(),
                           .shape = backward,
                           .blocking = blocking(backward)});
  for (std::size_t i = 0; i < dx.size(); ++i) REQUIRE(dx[i] == (i % 3 != 0 ? unmasked[i] : 0));
  actual.dx = from_blocks(unmasked, c.in(), lanes);

  actual.gradient = e.dw;
  cpu::WinogradGradientBlocking cutting = cpu::choose_gradient_blocking(forward, cut.threads);
  if (cut.tiles != 0) cutting = {cut.shared ? forward.tiles() : cut.tiles, cut.shared};
  scratch = floats(cpu::weight_gradient_scratch(forward, cutting, cut.threads));
  kernels.weight_gradient(queue, {.x = x.data(),
                                  .dy = dy.data(),
                                  .dw = actual.gradient.data(),
                                  .scratch = scratch.data(),
                                  .shape = forward,
                                  .blocking = cutting,
                                  .outputs = c.outputs,
                                  .inputs = c.inputs});
  return actual;
}

/// Errors of single precision grow with the points' powers (convolution.md): F(4) 2e-6, F(7) 2e-5, F(8) 4e-5.
double bound(WinogradTile tile) {
  return tile == WinogradTile::f4 ? 3e-6 : tile == WinogradTile::f7 ? 3e-5 : 5e-5;
}

}  // namespace

TEST_CASE("winograd: in exact numbers each tile is the convolution and its gradients") {
  check_tile<F4>();
  check_tile<F7>();
  check_tile<F8>();
}

TEST_CASE("winograd: outputs and gradients of every shape against direct summation in double") {
  int sets = 0;
  for (const std::int64_t lanes : {8, 16}) {
    const WinogradKernels* const kernels = cpu::find_winograd_kernels(lanes);
    if (kernels == nullptr) continue;
    ++sets;
    for (const Case& c : kCases) {
      const Expected expected(c);
      for (const WinogradTile tile : {WinogradTile::f4, WinogradTile::f7, WinogradTile::f8}) {
        const Actual actual = run(*kernels, c, tile, expected, {});
        CAPTURE(kernels->target);
        CAPTURE(c.in().to_string());
        CAPTURE(cpu::tile_outputs(tile));
        CHECK(relative_error(actual.y, expected.y) <= bound(tile));
        CHECK(relative_error(actual.dx, expected.dx) <= bound(tile));
        CHECK(relative_error(actual.gradient, expected.gradient) <= bound(tile));
      }
    }
  }
  if (sets == 0) MESSAGE("skipped: this processor has no AVX2");
}

TEST_CASE("winograd: neither threads, blocks nor the instruction set change a bit, nor does the batch") {
  const WinogradKernels* const narrow = cpu::find_winograd_kernels(8);
  if (narrow == nullptr) {
    MESSAGE("skipped: this processor has no AVX2");
    return;
  }
  for (const Case& c : kCases) {
    const Expected e(c);
    CAPTURE(c.in().to_string());
    for (const WinogradTile tile : {WinogradTile::f4, WinogradTile::f7, WinogradTile::f8}) {
      const Actual one = run(*narrow, c, tile, e, {});
      for (const Cut& cut :
           {Cut{2, 0, false}, Cut{1, 1, false}, Cut{2, 3, false}, Cut{2, 3, true}, Cut{3, 2, true}}) {
        Actual other = run(*narrow, c, tile, e, cut);
        CHECK(other.y == one.y);
        CHECK(other.dx == one.dx);
        CHECK(other.gradient == one.gradient);
      }
      if (const WinogradKernels* const wide = cpu::find_winograd_kernels(16))
        CHECK(run(*wide, c, tile, e, {2, 0, false}) == one);

      // The first image alone.
      Case first = c;
      first.batch = 1;
      Expected alone(first);
      alone.x.assign(e.x.begin(), e.x.begin() + first.in().size());
      alone.weights = e.weights;
      alone.scale = e.scale;
      alone.bias = e.bias;
      alone.residual.assign(e.residual.begin(), e.residual.begin() + first.out().size());
      alone.dy.assign(e.dy.begin(), e.dy.begin() + first.out().size());
      alone.add.assign(e.add.begin(), e.add.begin() + first.in().size());
      const Actual of_first = run(*narrow, first, tile, alone, {});
      CHECK(std::equal(of_first.y.begin(), of_first.y.end(), one.y.begin()));
      CHECK(std::equal(of_first.dx.begin(), of_first.dx.end(), one.dx.begin()));

      // OpenMP may give fewer threads than were asked for: inside a team, one.
      Actual nested;
#pragma omp parallel num_threads(2)
#pragma omp single
      nested = run(*narrow, c, tile, e, {3, 0, false});
      CHECK(nested == one);
    }
  }
}

TEST_CASE("winograd: work is cut by what the weights and the gradient at the points take") {
  const auto square = [](std::int64_t batch, std::int64_t channels, std::int64_t side, WinogradTile tile) {
    return Case{batch, channels, channels, side, side, 1, 1}.shape(tile, 16);
  };
  const WinogradShape narrow = square(64, 16, 28, WinogradTile::f7),
                      wide = square(32, 512, 4, WinogradTile::f4);
  CHECK(!cpu::choose_blocking(narrow, 2).shared);
  CHECK(cpu::choose_blocking(narrow, 2).tiles == 32);
  CHECK(cpu::choose_blocking(wide, 2).shared);
  CHECK(cpu::choose_blocking(wide, 2).tiles == 32);
  // As many blocks for every thread: 32 tiles of 256 channels are 16 each.
  CHECK(cpu::choose_blocking(square(32, 256, 7, WinogradTile::f7), 2).tiles == 16);
  CHECK(!cpu::choose_gradient_blocking(narrow, 2).whole);
  CHECK(cpu::choose_gradient_blocking(wide, 2).whole);
  CHECK(cpu::choose_gradient_blocking(wide, 2).tiles == wide.tiles());
  CHECK(!cpu::choose_gradient_blocking(square(64, 256, 14, WinogradTile::f7), 2).whole);
}

TEST_CASE("winograd: a NaN passes through ReLU") {
  if (cpu::find_winograd_kernels(8) == nullptr) MESSAGE("skipped: this processor has no AVX2");
  for (const std::int64_t lanes : {8, 16}) {
    const WinogradKernels* const kernels = cpu::find_winograd_kernels(lanes);
    if (kernels == nullptr) continue;
    const Case c{1, 16, 16, 4, 4, 1, 1};  // no channels that only fill a block up
    Expected e(c);
    e.x[0] = NAN;
    CHECK(std::isnan(run(*kernels, c, WinogradTile::f4, e, {}).y[0]));
  }
}

TEST_CASE("winograd: the tile is a function of the image's size") {
  using Tile = std::optional<WinogradTile>;
  for (const std::int64_t side : {7, 14, 28, 56})
    CHECK(cpu::choose_tile(side, side) == Tile(WinogradTile::f7));
  for (const std::int64_t side : {8, 16, 32, 64})
    CHECK(cpu::choose_tile(side, side) == Tile(WinogradTile::f8));
  CHECK(cpu::choose_tile(4, 4) == Tile(WinogradTile::f4));
  CHECK(cpu::choose_tile(2, 2) == std::nullopt);
  CHECK(cpu::choose_tile(1, 56) == std::nullopt);
}

}  // namespace inocula::test
