// Learning-rate formulas.
#include "engine/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/error.h"

namespace inocula {

void check(const Schedule& s) {
  // Steps run on floats: what overflows or vanishes there would train to nothing.
  const auto peak = static_cast<float>(s.peak);
  if (!(peak > 0) || !std::isfinite(peak))
    fail(ErrorKind::usage, "lr is ", s.peak, ", expected a positive number that a float can hold");
  if (!(s.warmup >= 0 && s.warmup < 1))
    fail(ErrorKind::usage, "warm-up is ", s.warmup, ", expected a fraction in [0, 1)");
  if (!(s.turn > 0 && s.turn < 1))
    fail(ErrorKind::usage, "turn is ", s.turn, ", expected a fraction in (0, 1)");
  if (!(s.factor > 0) || !std::isfinite(s.factor))
    fail(ErrorKind::usage, "lr factor is ", s.factor, ", expected a positive number");
  double last = 0;
  for (const double m : s.milestones) {
    if (!(m > last && m < 1))
      fail(ErrorKind::usage, "milestones: ", m, ", expected rising fractions in (0, 1)");
    last = m;
  }
}

double learning_rate(const Schedule& s, std::int64_t step, std::int64_t total) {
  const double at = static_cast<double>(step), all = static_cast<double>(total);
  double rate = s.peak;
  switch (s.kind) {
    case ScheduleKind::constant:
      break;
    case ScheduleKind::steps:
      for (const double m : s.milestones)
        if (at >= std::floor(m * all)) rate *= s.factor;
      break;
    case ScheduleKind::cosine:
      rate *= 0.5 * (1 + std::cos(std::numbers::pi * at / all));
      break;
    case ScheduleKind::triangular: {
      const double top = s.turn * all;
      // Shifted by one step, so that no step is taken at a rate of exactly 0.
      rate *= std::min({1.0, (at + 1) / top, (all - at) / (all - top)});
      break;
    }
  }
  const double warm = s.warmup * all;
  return at + 1 < warm ? rate * (at + 1) / warm : rate;
}

}  // namespace inocula
