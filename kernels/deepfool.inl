// Bodies of DeepFool's parts.
#include "kernels/deepfool.h"

#include <cmath>

#include "kernels/arg_max.h"
#include "kernels/for_each.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

/// What a logit has to be ahead of another by.
INOCULA_DEVICE inline double least_lead(double one, double other) {
  return kLogitLead * (fabs(one) + fabs(other));
}

struct ConsiderRow {
  DeepFoolConsider a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const w = a.gradient + row * a.cols;
    const bool linf = a.norm == Distance::linf;
    const double size = linf ? team.sum(a.cols, [=](std::int64_t i) { return fabs(double{w[i]}); })
                             : team.sum(a.cols, [=](std::int64_t i) { return double{w[i]} * w[i]; });
    const double gap = gap_of(row);
    const double distance = gap / (linf ? size : sqrt(size));
    const bool first = a.column == 1;
    const double kept = first ? static_cast<double>(INFINITY) : a.distance[row];
    // Of size 0 or NaN the distance is infinite or NaN; of infinite size 0.
    const bool real = distance < kFarthestBoundary && size < static_cast<double>(INFINITY);
    const bool nearer = real && static_cast<float>(distance) < kept;
    const double share = gap / size;
    float* const step = a.step + row * a.cols;
    if (nearer && linf) {
      const float length = static_cast<float>(share);
      team.each(a.cols, [=](std::int64_t i) { step[i] = w[i] > 0 ? length : (w[i] < 0 ? -length : 0.0f); });
    } else if (nearer) {
      team.each(a.cols, [=](std::int64_t i) { step[i] = static_cast<float>(share * w[i]); });
    } else if (first) {
      team.each(a.cols, [=](std::int64_t i) { step[i] = 0; });
    }
    team.barrier();
    if (team.leads() && (nearer || first)) a.distance[row] = nearer ? static_cast<float>(distance) : INFINITY;
  }

 private:
  INOCULA_DEVICE double gap_of(std::int64_t row) const {
    const float* const z = a.logits + row * a.classes;
    const std::int32_t* const rank = a.rank + row * a.columns;
    const double one = z[rank[a.column]], other = z[rank[0]];
    const double gap = fabs(one - other), least = least_lead(one, other);
    return gap < least ? least : gap;
  }
};

struct MoveRow {
  DeepFoolMove a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t first = a.rank[row * a.columns];
    const float* const z = a.logits + row * a.classes;
    const std::int64_t winner = arg_max(z, a.classes);
    const double one = z[winner], other = z[first];
    const bool ahead = winner != first && !(one - other <= least_lead(one, other));
    const bool moves = a.label[row] == first && !ahead && a.distance[row] < INFINITY;
    float* const x = a.x + row * a.cols;
    float* const total = a.total + row * a.cols;
    const float* const step = a.step + row * a.cols;
    const float* const clean = a.clean + row * a.cols;
    const float factor = 1.0f + a.overshoot, lo = a.lo, hi = a.hi;
    team.each(moves ? a.cols : 0, [=](std::int64_t i) {
      total[i] += step[i];
      x[i] = clip(clean[i] + factor * total[i], lo, hi);
    });
    if (team.leads()) a.done[row] = moves && a.sample[row] >= 0 ? 0 : 1;
  }
};

}  // namespace

void deepfool_consider(const Queue& queue, const DeepFoolConsider& args) {
  for_each_row(queue, args.rows, args.cols, ConsiderRow{args});
}

void deepfool_move(const Queue& queue, const DeepFoolMove& args) {
  for_each_row(queue, args.rows, args.cols, MoveRow{args});
}

INOCULA_END_TARGET
