// Random numbers: published vectors, ranges, moments, and values that may never change.
#include "kernels/draw.h"

#include <algorithm>
#include <cmath>

#include "kernels/normal.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr std::uint32_t kDraws = 1000000;
/// Chance of a sound generator failing one comparison: 6e-5; the draws are fixed, so it passes always or
/// never.
constexpr double kStandardErrors = 4;

TEST_CASE("Philox gives its authors' vectors") {
  const auto check = [](Philox4 counter, std::uint32_t key0, std::uint32_t key1, Philox4 expected) {
    const Philox4 words = philox4x32(counter, key0, key1);
    for (int i = 0; i < 4; ++i) CHECK(words.w[i] == expected.w[i]);
  };
  check({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  check({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  check({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
        {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("a draw is a function of all its arguments") {
  const std::uint32_t base = draw(1, Draw::start, 2, 3, 4, 5);
  CHECK(base == draw(1, Draw::start, 2, 3, 4, 5));
  CHECK(base == draw4(1, Draw::start, 2, 3, 4, 1).w[1]);
  CHECK(base != draw(2, Draw::start, 2, 3, 4, 5));
  CHECK(base != draw(1ull << 32 | 1, Draw::start, 2, 3, 4, 5));
  CHECK(base != draw(1, Draw::target, 2, 3, 4, 5));
  CHECK(base != draw(1, Draw::start, 3, 3, 4, 5));
  CHECK(base != draw(1, Draw::start, 2, 4, 4, 5));
  CHECK(base != draw(1, Draw::start, 2, 3, 5, 5));
  CHECK(base != draw(1, Draw::start, 2, 3, 4, 6));
}

struct Sample {
  double lowest = kInfinity, highest = -kInfinity, mean = 0, variance = 0, fourth = 0;
};

template <class F>
Sample sample(F&& f) {
  Sample s;
  double sum = 0, squares = 0, fourths = 0;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const double v = f(i);
    s.lowest = std::min(s.lowest, v);
    s.highest = std::max(s.highest, v);
    sum += v;
    squares += v * v;
    fourths += v * v * v * v;
  }
  s.mean = sum / kDraws;
  s.variance = squares / kDraws - s.mean * s.mean;
  s.fourth = fourths / kDraws;
  return s;
}

const double kRootDraws = std::sqrt(static_cast<double>(kDraws));

TEST_CASE("uniform numbers: range and moments") {
  const Sample u = sample([](std::uint32_t i) { return uniform01(draw(7, Draw::start, 0, 0, i, 0)); });
  CHECK(u.lowest >= 0);
  CHECK(u.highest < 1);
  CHECK(std::fabs(u.mean - 0.5) <= kStandardErrors * std::sqrt(1.0 / 12) / kRootDraws);
  // Var((U - 1/2)^2) = 1/80 - 1/144 = 1/180.
  CHECK(std::fabs(u.variance - 1.0 / 12) <= kStandardErrors * std::sqrt(1.0 / 180) / kRootDraws);

  const Sample s = sample([](std::uint32_t i) { return uniform_signed(draw(7, Draw::start, 0, 0, i, 1)); });
  CHECK(s.lowest > -1);
  CHECK(s.highest < 1);
  CHECK(std::fabs(s.mean) <= kStandardErrors * std::sqrt(1.0 / 3) / kRootDraws);
  CHECK(std::fabs(s.variance - 1.0 / 3) <= kStandardErrors * std::sqrt(4.0 / 45) / kRootDraws);

  CHECK(uniform01(0) == 0.0f);
  CHECK(uniform01(~0u) == 1.0f - 0x1p-24f);
  CHECK(uniform_signed(0) == -(1.0f - 0x1p-24f));
  CHECK(uniform_signed(~0u) == 1.0f - 0x1p-24f);
  CHECK(uniform_signed(0x7FFFFFFF) == -uniform_signed(0x80000000));
}

TEST_CASE("uniform integers are within their range and even") {
  CHECK(uniform_below(0, 5) == 0);
  CHECK(uniform_below(~0u, 5) == 4);
  std::vector<double> count(5, 0.0);
  for (std::uint32_t i = 0; i < kDraws; ++i) count[uniform_below(draw(9, Draw::target, 0, 0, i, 0), 5)] += 1;
  for (const double n : count)
    CHECK(std::fabs(n / kDraws - 0.2) <= kStandardErrors * std::sqrt(0.2 * 0.8) / kRootDraws);
}

TEST_CASE("normal numbers: range, moments and independence within a pair") {
  const Sample z = sample([](std::uint32_t i) { return normal(7, Draw::start, 0, 0, i / 1000, i % 1000); });
  CHECK(z.highest < 5.78);
  CHECK(z.lowest > -5.78);
  CHECK(std::fabs(z.mean) <= kStandardErrors / kRootDraws);
  CHECK(std::fabs(z.variance - 1) <= kStandardErrors * std::sqrt(2.0) / kRootDraws);
  // E z^4 = 3, Var z^4 = E z^8 - 9 = 96.
  CHECK(std::fabs(z.fourth - 3) <= kStandardErrors * std::sqrt(96.0) / kRootDraws);

  double product = 0;
  for (std::uint32_t i = 0; i < kDraws / 2; ++i)
    product += double{normal(7, Draw::start, 0, 0, i, 0)} * normal(7, Draw::start, 0, 0, i, 1);
  CHECK(std::fabs(product / (kDraws / 2)) <= kStandardErrors / std::sqrt(kDraws / 2.0));
}

TEST_CASE("normal numbers are Box and Muller's, to float precision") {
  double worst = 0;
  for (std::uint32_t i = 0; i < 100000; ++i) {
    const Philox4 words = draw4(7, Draw::start, 0, 0, i, 0);
    const double radius = std::sqrt(-2 * std::log((words.w[0] / 256 + 1) / 0x1p24));
    const double angle = 2 * 3.14159265358979323846 * (words.w[1] / 256) / 0x1p24;
    worst = std::max({worst, std::fabs(normal(7, Draw::start, 0, 0, i, 0) - radius * std::sin(angle)),
                      std::fabs(normal(7, Draw::start, 0, 0, i, 1) - radius * std::cos(angle))});
  }
  CHECK(worst <= 5.77 * 5e-7);  // the largest radius times the errors of the logarithm's root and the sine
}

// The first 64 normals of seed 0. Starts of attacks and initial weights rest on them: they may never change.
constexpr std::uint32_t kGoldenNormals[64] = {
    0x3E0E6D3D, 0xBF4CC25E, 0x3DEEBBC3, 0xBFAEA963, 0x3F8B3095, 0x4004A8DA, 0x3F08C1A8, 0x3FA60AB3,
    0x3F1ED09E, 0xC0020C27, 0x3FA1F6D5, 0x3DDC5B07, 0xBF786606, 0xBEF5716F, 0xBF8531F5, 0x3F4C1568,
    0x3EDAB406, 0xBE52BE6C, 0xBF086D8A, 0xBDF02405, 0xBF0A3FFF, 0xBF49937A, 0x3FE8F9D1, 0x3FAE50EA,
    0x3C64C33D, 0x3E824839, 0xBF5E2543, 0xBE09AF00, 0x3DA82C76, 0xBEF601B6, 0x3F6743CA, 0x3F9A56D3,
    0x3FA8CA3C, 0x3F1FFCAF, 0x40176DFB, 0xBF5F068A, 0x3F63E305, 0x3F654025, 0xBF14F14B, 0x3F8C92D8,
    0xBFBD6D02, 0x40147BE6, 0x3F280F0F, 0x3E86BB33, 0xBE9F362D, 0xBFD7F19F, 0xBF8A89B5, 0x3F61ADBE,
    0x3D697655, 0xBF8378C2, 0xBE4756F6, 0x3F8DFEAA, 0x3F913087, 0xBECC82D3, 0x3F86AC92, 0xBF9DD839,
    0xBF87725F, 0xBFA38817, 0xBF03157B, 0x3F64F49C, 0xBF6AA600, 0xBF4673DF, 0xBE0B6708, 0x3FD463A4};

TEST_CASE("normal numbers have their golden bits") {
  for (std::uint32_t i = 0; i < 64; ++i) {
    const float z = normal(0, Draw::start, 0, 0, 0, i);
    std::uint32_t bits;
    std::memcpy(&bits, &z, sizeof bits);
    CHECK(bits == kGoldenNormals[i]);
  }
}

TEST_CASE("normal4 and normal agree") {
  for (std::uint32_t block = 0; block < 100; ++block) {
    const Normal4 four = normal4(draw4(3, Draw::start, 1, 2, 5, block));
    for (std::uint32_t i = 0; i < 4; ++i) CHECK(four.v[i] == normal(3, Draw::start, 1, 2, 5, 4 * block + i));
  }
}

}  // namespace
}  // namespace inocula::test
