// Bodies of FAB's steps.
#include "kernels/fab.h"

#include <cmath>

#include "kernels/draw_blocks.h"
#include "kernels/for_each.h"
#include "kernels/hyperplane.h"
#include "kernels/project.h"
#include "kernels/restart.h"
#include "kernels/row_radius.h"

INOCULA_BEGIN_TARGET

namespace {

/// Norms of moves are at least this.
constexpr double kLeastMove = 1e-8;

struct StartRow {
  FabStart a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t cols = a.cols;
    const float* const clean = a.clean + row * cols;
    float* const x = a.x + row * cols;
    if (restart_of(a, row) == 0) {
      team.each(cols, [=](std::int64_t i) { x[i] = clean[i]; });
      return;
    }
    const RandomStream stream = {a.state->seed, Draw::start, restart_of(a, row), a.state->step,
                                 static_cast<std::uint32_t>(a.sample[row])};
    const bool uniform = a.norm == Distance::linf;
    team.each_group<kWordsAbreast>(cols, [=](std::int64_t first) {
      float t[kWordsAbreast];
      if (uniform) {
        std::uint32_t word[kWordsAbreast];
        stream.words(first, word);
        for (int l = 0; l < kWordsAbreast; ++l) t[l] = uniform_signed(word[l]);
      } else {
        stream.normals(first, t);
      }
      const int count = count_abreast(first, cols);
      for (int l = 0; l < count; ++l) x[first + l] = t[l];
    });
    const double norm =
        norm_of(team, a.norm, cols, [=](std::int64_t i) { return fabs(static_cast<double>(x[i])); });
    const auto scale = norm > 0 ? static_cast<float>(of_row(a.radius, a.eps_scale, row) / norm) : 0.0f;
    const float lo = a.lo, hi = a.hi;
    team.each(cols, [=](std::int64_t i) { x[i] = clip(clean[i] + scale * x[i], lo, hi); });
  }
};

struct BoundaryRow {
  KeepBoundary a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const gradient = a.gradient + row * a.cols;
    float* const kept = a.kept_gradient + row * a.cols;
    const Distance dual = a.norm == Distance::linf ? Distance::l1
                          : a.norm == Distance::l1 ? Distance::linf
                                                   : Distance::l2;
    const double norm =
        norm_of(team, dual, a.cols, [=](std::int64_t i) { return fabs(static_cast<double>(gradient[i])); });
    const auto distance = static_cast<float>(fabs(static_cast<double>(a.margin[row])) / (norm + kFabFloor));
    const bool nearer = distance < a.distance[row];
    team.each(nearer ? a.cols : 0, [=](std::int64_t i) { kept[i] = gradient[i]; });
    if (!nearer || !team.leads()) return;
    a.kept_margin[row] = a.margin[row];
    a.distance[row] = distance;
  }
};

struct StepRow {
  FabStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t cols = a.cols;
    const float* const w = a.gradient + row * cols;
    const float* const clean = a.clean + row * cols;
    float* const x = a.x + row * cols;
    // Both residuals from the margin itself: <w, x> less the plane's offset would cancel.
    const double margin = a.margin[row];
    const double between = team.sum(cols, [=](std::int64_t i) {
      const double weight = w[i] - w[i] == 0 ? static_cast<double>(w[i]) : 0.0;
      return weight * (static_cast<double>(clean[i]) - x[i]);
    });
    const HyperplaneMove of_x(team, a.norm, w, x, cols, margin, a.lo, a.hi);
    const HyperplaneMove of_clean(team, a.norm, w, clean, cols, margin + between, a.lo, a.hi);
    double d1 = norm_of(team, a.norm, cols, [=](std::int64_t i) { return of_x.length_of(w[i], x[i]); });
    double d2 =
        norm_of(team, a.norm, cols, [=](std::int64_t i) { return of_clean.length_of(w[i], clean[i]); });
    d1 = d1 > kLeastMove ? d1 : kLeastMove;
    d2 = d2 > kLeastMove ? d2 : kLeastMove;
    const double ratio = d1 / (d1 + d2), most = a.alpha_max, eta = a.eta;
    const double share = ratio < most ? ratio : most;
    const float lo = a.lo, hi = a.hi;
    team.each(cols, [=](std::int64_t i) {
      const double from_x = x[i] + eta * of_x(w[i], x[i]);
      const double from_clean = clean[i] + eta * of_clean(w[i], clean[i]);
      x[i] = clip(static_cast<float>((1 - share) * from_x + share * from_clean), lo, hi);
    });
  }
};

struct RetreatRow {
  FabRetreat a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const clean = a.clean + row * a.cols;
    float* const x = a.x + row * a.cols;
    const float beta = a.beta, lo = a.lo, hi = a.hi;
    team.each(a.hit[row] != 0 ? a.cols : 0,
              [=](std::int64_t i) { x[i] = clip(clean[i] + beta * (x[i] - clean[i]), lo, hi); });
  }
};

/// Passes over a row of two searches of about ten turns.
constexpr std::int64_t kStepCost = 40;

}  // namespace

void fab_start(const Queue& queue, const FabStart& args) {
  for_each_row(queue, args.rows, args.cols, StartRow{args});
}

void keep_boundary(const Queue& queue, const KeepBoundary& args) {
  for_each_row(queue, args.rows, args.cols, BoundaryRow{args});
}

void fab_step(const Queue& queue, const FabStep& args) {
  for_each_row(queue, args.rows, args.cols * kStepCost, StepRow{args});
}

void fab_retreat(const Queue& queue, const FabRetreat& args) {
  for_each_row(queue, args.rows, args.cols, RetreatRow{args});
}

INOCULA_END_TARGET
