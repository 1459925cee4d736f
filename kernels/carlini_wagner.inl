// Bodies of the Carlini-Wagner attack.
#include "kernels/carlini_wagner.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/portable_math.h"

INOCULA_BEGIN_TARGET

namespace {

/// (tanh w + 1) / 2 and its derivative.
struct Squashed {
  double x, slope;

  INOCULA_DEVICE explicit Squashed(double w) {
    const double e = portable_exp(-2.0 * fabs(w)), share = 1.0 / (1.0 + e);
    x = w < 0 ? e * share : share;
    slope = 2.0 * e * share * share;
  }
};

INOCULA_DEVICE inline double portable_atanh(double y) {
  const double size = fabs(y), half = 0.5 * portable_log1p(2.0 * size / (1.0 - size));
  return y < 0 ? -half : half;
}

struct StartElement {
  CwStart a;
  INOCULA_DEVICE void operator()(std::int64_t row) const {
    CwSearch s;
    s.weight = a.weight;
    s.upper = INFINITY;
    a.search[row] = s;
  }
};

struct BeginRow {
  CwBegin a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t first = row * a.cols;
    float *const w = a.w + first, *const moment1 = a.moment1 + first, *const moment2 = a.moment2 + first,
                 *const x = a.x + first;
    const float* const clean = a.clean + first;
    team.each(a.cols, [=](std::int64_t i) {
      const float v = static_cast<float>(portable_atanh(kCwInside * (2.0 * clean[i] - 1.0)));
      w[i] = v;
      x[i] = static_cast<float>(Squashed(v).x);
      moment1[i] = 0;
      moment2[i] = 0;
    });
    if (a.checked_w != nullptr) {
      float* const checked_w = a.checked_w + first;
      team.each(a.cols, [=](std::int64_t i) { checked_w[i] = w[i]; });
    }
    if (!team.leads()) return;
    CwSearch& s = a.search[row];
    s.decayed1 = s.decayed2 = 1;
    s.hit = s.taken = 0;
    s.checked = INFINITY;
    if (a.done != nullptr) a.done[row] = a.sample[row] < 0 ? 1 : 0;
  }
};

struct CwJudgeElement {
  CwJudge a;
  INOCULA_DEVICE void operator()(std::int64_t row) const {
    const bool same = a.predicted[row] == a.label[row];
    const float margin = a.targeted != 0 ? -a.loss[row] : a.loss[row];
    const bool hit = same == (a.targeted != 0) && margin >= a.confidence;
    a.hit[row] = hit ? 1 : 0;
    if (hit) a.search[row].hit = 1;
  }
};

struct CwStepRow {
  CwStep a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.every > 0 && a.done[row] != 0) return;
    const CwSearch s = a.search[row];
    const std::int64_t first = row * a.cols;
    float *const w = a.w + first, *const moment1 = a.moment1 + first, *const moment2 = a.moment2 + first,
                 *const x = a.x + first;
    const float *const clean = a.clean + first, *const gradient = a.gradient + first;
    const double sign = a.targeted != 0 ? 1.0 : -1.0;
    const double behind = sign * a.loss[row], least = -static_cast<double>(a.confidence);
    double checked = s.checked;
    if (a.every > 0 && s.taken % a.every == 0) {
      const double penalty = behind > least ? s.weight * (behind - least) : 0.0;
      checked = penalty + team.sum(a.cols, [=](std::int64_t i) {
        const double d = static_cast<double>(x[i]) - clean[i];
        return d * d;
      });
      float* const checked_w = a.checked_w + first;
      const float way =
          team.largest(a.cols, 0.0f, [=](std::int64_t i) { return fabsf(w[i] - checked_w[i]); });
      const bool idle = way < 0.5f * a.rate * static_cast<float>(a.every);
      if (idle && s.taken > 0 && !(checked <= kCwFallen * s.checked)) {
        if (team.leads()) a.done[row] = 1;
        return;
      }
      team.each(a.cols, [=](std::int64_t i) { checked_w[i] = w[i]; });
    }
    const double slope = behind > least ? s.weight * sign : 0.0;
    const double decayed1 = s.decayed1 * kCwDecay1, decayed2 = s.decayed2 * kCwDecay2;
    const float mean1 = static_cast<float>(1.0 / (1.0 - decayed1)),
                mean2 = static_cast<float>(1.0 / (1.0 - decayed2)), rate = a.rate;
    team.each(a.cols, [=](std::int64_t i) {
      const double pull = slope * gradient[i];
      // Infinite, too, it would make every later moment NaN.
      const double finite = fabs(pull) < 1e18 ? pull : 0.0;
      const float g =
          static_cast<float>((2.0 * (static_cast<double>(x[i]) - clean[i]) + finite) * Squashed(w[i]).slope);
      const float m = static_cast<float>(kCwDecay1) * moment1[i] + static_cast<float>(1.0 - kCwDecay1) * g;
      const float v =
          static_cast<float>(kCwDecay2) * moment2[i] + static_cast<float>(1.0 - kCwDecay2) * (g * g);
      const float moved = w[i] - rate * (m * mean1) / (sqrtf(v * mean2) + static_cast<float>(kCwFloor));
      moment1[i] = m;
      moment2[i] = v;
      w[i] = moved;
      x[i] = static_cast<float>(Squashed(moved).x);
    });
    if (!team.leads()) return;
    a.search[row].decayed1 = decayed1;
    a.search[row].decayed2 = decayed2;
    a.search[row].checked = checked;
    a.search[row].taken = s.taken + 1;
  }
};

struct NextElement {
  CwNext a;
  INOCULA_DEVICE void operator()(std::int64_t row) const {
    CwSearch& s = a.search[row];
    if (s.hit != 0)
      s.upper = s.weight < s.upper ? s.weight : s.upper;
    else
      s.lower = s.weight > s.lower ? s.weight : s.lower;
    s.weight = s.upper < static_cast<double>(INFINITY) ? (s.lower + s.upper) / 2 : 10 * s.weight;
  }
};

}  // namespace

void cw_start(const Queue& queue, const CwStart& args) {
  for_each(queue, args.rows, StartElement{args});
}

void cw_begin(const Queue& queue, const CwBegin& args) {
  for_each_row(queue, args.rows, args.cols, BeginRow{args});
}

void cw_judge(const Queue& queue, const CwJudge& args) {
  for_each(queue, args.rows, CwJudgeElement{args});
}

void cw_step(const Queue& queue, const CwStep& args) {
  for_each_row(queue, args.rows, args.cols, CwStepRow{args});
}

void cw_next(const Queue& queue, const CwNext& args) {
  for_each(queue, args.rows, NextElement{args});
}

INOCULA_END_TARGET
