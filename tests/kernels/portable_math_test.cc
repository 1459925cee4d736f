// The portable functions against libm in long double.
#include "kernels/portable_math.h"

#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

/// Rounding of some ten operations; what the headers promise.
constexpr double kDoubleBound = 1e-15;
constexpr double kFloatBound = 3e-7;

TEST_CASE("portable_exp") {
  double worst = 0;
  for (int i = 0; i <= 1000000; ++i) {
    const double x = -708.0 * i / 1000000;
    const long double truth = std::exp(static_cast<long double>(x));
    worst = std::max(worst, static_cast<double>(std::fabs(portable_exp(x) - truth) / truth));
  }
  for (double x = -1e-20; x > -1; x *= 3)
    worst = std::max(
        worst, static_cast<double>(std::fabs(portable_exp(x) / std::exp(static_cast<long double>(x)) - 1)));
  CHECK(worst <= kDoubleBound);
  CHECK(portable_exp(0.0) == 1.0);
  CHECK(portable_exp(-0.0) == 1.0);
  CHECK(portable_exp(-708.5) == 0.0);
  CHECK(portable_exp(-1e300) == 0.0);
  CHECK(portable_exp(-std::numeric_limits<double>::infinity()) == 0.0);
  CHECK(std::isnan(portable_exp(std::numeric_limits<double>::quiet_NaN())));
}

TEST_CASE("portable_log1p") {
  double worst = 0;
  for (double x = 1e-300; x < 1e300; x *= 1.0007) {
    const long double truth = std::log1p(static_cast<long double>(x));
    worst = std::max(worst, static_cast<double>(std::fabs(portable_log1p(x) - truth) / truth));
  }
  CHECK(worst <= kDoubleBound);
  CHECK(portable_log1p(0.0) == 0.0);
  CHECK(std::isnan(portable_log1p(std::numeric_limits<double>::quiet_NaN())));
}

TEST_CASE("portable_log") {
  double worst = 0;
  for (std::uint32_t i = 1; i < (1u << 24); i += 7) {
    const float x = static_cast<float>(i) * 0x1p-24f;
    const double truth = std::log(static_cast<double>(x));
    worst = std::max(worst, std::fabs((portable_log(x) - truth) / truth));
  }
  CHECK(worst <= kFloatBound);
  CHECK(portable_log(1.0f) == 0.0f);
}

TEST_CASE("portable_sincos_turn") {
  double worst = 0;
  for (std::uint32_t i = 0; i < (1u << 24); i += 5) {
    const float u = static_cast<float>(i) * 0x1p-24f;
    const double angle = 2 * 3.14159265358979323846 * u;
    const SinCos turn = portable_sincos_turn(u);
    worst = std::max({worst, std::fabs(turn.sin - std::sin(angle)), std::fabs(turn.cos - std::cos(angle))});
  }
  CHECK(worst <= kFloatBound);
  CHECK(portable_sincos_turn(0.0f).cos == 1.0f);
  CHECK(portable_sincos_turn(0.25f).sin == 1.0f);
  CHECK(portable_sincos_turn(0.5f).cos == -1.0f);
  CHECK(portable_sincos_turn(0.75f).sin == -1.0f);
}

}  // namespace
}  // namespace inocula::test
