// Body of the re-quantisation.
#include "kernels/requantise.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/row_radius.h"

INOCULA_BEGIN_TARGET

namespace {

/// Of a radius, that floats of levels may lie beyond it.
constexpr double kBeyond = 1.0 + 0x1p-20;
/// Turns of the bisection between nearest and towards the image.
constexpr int kFractionTurns = 24;

struct RequantiseRow {
  Requantise a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const double levels = a.levels;
    const float* const x = a.x + row * a.cols;
    const float* const clean = a.clean + row * a.cols;
    float* const y = a.y + row * a.cols;
    const double radius = levels * kBeyond * of_row(a.eps, a.eps_scale, row);
    const Distance norm = a.norm;
    // Levels between a pixel and its clean one, where differences are rounded down from `fraction` on.
    const auto moved = [=](std::int64_t i, double fraction) {
      const double d = fabs(static_cast<double>(x[i]) - clean[i]) * levels;
      const double down = floor(d);
      const double whole = d - down >= fraction ? down + 1 : down;
      return norm == Distance::linf && whole > radius ? floor(radius) : d == d ? whole : 0.0;
    };
    double fraction = 0.5;
    if ((norm == Distance::l2 || norm == Distance::l1) && radius < static_cast<double>(INFINITY)) {
      const auto inside = [&](double at) {
        const double sum = team.sum(a.cols, [=](std::int64_t i) {
          const double m = moved(i, at);
          return norm == Distance::l2 ? m * m : m;
        });
        return sum <= (norm == Distance::l2 ? radius * radius : radius);
      };
      if (!inside(fraction)) {
        double out = fraction;
        fraction = 1.0;
        for (int turn = 0; turn < kFractionTurns; ++turn) {
          const double middle = 0.5 * (out + fraction);
          (inside(middle) ? fraction : out) = middle;
        }
      }
    }
    const double at = fraction;
    team.each(a.cols, [=](std::int64_t i) {
      const float from = clean[i];
      const double steps = moved(i, at), level = floor(from * levels + 0.5);
      const double to = (x[i] > from ? level + steps : level - steps) / levels;
      y[i] = steps > 0 ? static_cast<float>(to) : from;
    });
  }
};

/// Passes over a row.
constexpr std::int64_t kRequantiseCost = 8;

}  // namespace

void requantise(const Queue& queue, const Requantise& args) {
  for_each_row(queue, args.rows, args.cols * kRequantiseCost, RequantiseRow{args});
}

INOCULA_END_TARGET
