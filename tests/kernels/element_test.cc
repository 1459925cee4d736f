// bf16: every value there and back, and every way of rounding, by each kind of loop that kernels have.
#include "kernels/element.h"

#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

float float_of(std::uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

std::uint32_t bits_of(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  return bits;
}

/// Floats just below, at and just above every bf16 and every middle of two: all that rounding can meet.
std::vector<float> all_neighbourhoods() {
  std::vector<float> values;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper)
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      values.push_back(float_of(upper << 16 | lower));
  return values;
}

TEST_CASE("every bf16 survives being widened and stored") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float wide = to_float(Bf16{static_cast<std::uint16_t>(bits)});
    CHECK(bits_of(wide) == bits << 16);
    Bf16 stored{};
    store(&stored, wide);
    CHECK(stored.bits == (std::isnan(wide) ? 0x7FC0u : bits));
  }
}

TEST_CASE("storing rounds to the nearest, ties to even, beyond the largest to infinity, and a NaN stays one") {
  for (const float v : all_neighbourhoods()) {
    Bf16 stored{};
    store(&stored, v);
    const float expected = nearest(v, Element::bf16);
    if (std::isnan(v)) {
      CHECK(std::isnan(to_float(stored)));
    } else {
      CHECK(bits_of(to_float(stored)) == bits_of(expected));
    }
  }
  const auto rounded = [](float v) {
    Bf16 stored{};
    store(&stored, v);
    return to_float(stored);
  };
  CHECK(rounded(1 + 0x1p-8f) == 1);              // a tie, to the even neighbour below
  CHECK(rounded(1 + 0x3p-8f) == 1 + 0x1p-6f);    // and above
  CHECK(rounded(-1 - 0x3p-8f) == -1 - 0x1p-6f);  // away from zero alike
  CHECK(rounded(0x1.FFp127f) == kInfinity);      // the middle between the largest and what would follow
  CHECK(rounded(0x1.FEFFFEp127f) == 0x1.FEp127f);
  CHECK(rounded(float_of(0x7F800001u)) != rounded(0));  // the smallest NaN does not become infinity
  CHECK(std::isnan(rounded(float_of(0x7F800001u))));
  CHECK(bits_of(rounded(-0x1p-134f)) == bits_of(-0.0f));  // a sign stays where a number vanishes
}

TEST_CASE("copies round as the scalar does, on every target") {
  std::vector<float> values = all_neighbourhoods();
  values.resize(values.size() / 16 * 16);
  const auto pixels = static_cast<std::int64_t>(values.size()) / 16;
  const PlaneShape floats{.batch = 1, .channels = 16, .height = 1, .width = pixels, .block = 16};
  PlaneShape shape = floats;
  shape.element = Element::bf16;
  const Planes from(values, Element::f32);
  const Outputs out = same_everywhere([&](const Run& run) {
    Planes to(shape);
    run.kernels.copy_channels(
        run.queue,
        {.from = from.data(), .to = to.data(), .from_shape = floats, .to_shape = shape, .count = 16});
    return Outputs{to.values()};
  });
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float expected = nearest(values[i], Element::bf16);
    const bool same = std::isnan(expected) ? std::isnan(out[0][i]) : bits_of(out[0][i]) == bits_of(expected);
    CHECK_MESSAGE(same, values[i], " became ", out[0][i], ", expected ", expected);
  }
}

TEST_CASE(
    "maps and pools round as the scalar does: the middle between each two neighbours goes to the even one") {
  constexpr std::uint32_t kFirst = 0x0400, kEnd = 0x7F00;  // half a unit of the first is no subnormal yet
  std::vector<float> lower, half, pairs, expected;
  for (std::uint32_t upper = kFirst; upper < kEnd; ++upper) {
    const float a = float_of(upper << 16), b = float_of((upper + 1) << 16);
    lower.push_back(a);
    half.push_back((b - a) / 2);
    expected.push_back((upper & 1) == 0 ? a : b);
  }
  // As 16 channels side by side, so that every width of vector sees them, and as one.
  for (const std::int64_t block : {1, 8, 16}) {
    CAPTURE(block);
    const auto pixels = static_cast<std::int64_t>(lower.size()) / block;
    const PlaneShape shape{.batch = 1,
                           .channels = block,
                           .height = 1,
                           .width = pixels,
                           .block = block,
                           .element = Element::bf16};
    PlaneShape twice = shape;
    twice.width = 2 * pixels;
    pairs.clear();
    for (std::size_t p = 0; p < lower.size(); p += static_cast<std::size_t>(block))
      for (const float halves : {0.0f, 2.0f})
        for (std::size_t l = p; l < p + static_cast<std::size_t>(block); ++l)
          pairs.push_back(lower[l] + halves * half[l]);
    const Planes x(lower, Element::bf16), add(half, Element::bf16), neighbours(pairs, Element::bf16);
    const Outputs out = same_everywhere([&](const Run& run) {
      Planes mapped(shape), pooled(shape);
      run.kernels.affine(run.queue,
                         {.x = x.data(), .residual = add.data(), .y = mapped.data(), .shape = shape});
      run.kernels.average_pool(run.queue, {.x = neighbours.data(),
                                           .y = pooled.data(),
                                           .in = twice,
                                           .out = shape,
                                           .window = {.kernel_w = 2, .stride_w = 2}});
      return Outputs{mapped.values(), pooled.values()};
    });
    CHECK(out[0] == expected);
    CHECK(out[1] == expected);
  }
}

}  // namespace
}  // namespace inocula::test
