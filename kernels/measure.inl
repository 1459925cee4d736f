// Bodies of the measurements that attacks are checked by.
#include "kernels/measure.h"

#include <cmath>

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

struct MeasureRow {
  MeasurePerturbation a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const x = a.x + row * a.cols;
    const float* const clean = a.clean + row * a.cols;
    const std::int64_t n = a.cols;
    const auto difference = [=](std::int64_t i) { return static_cast<double>(x[i]) - clean[i]; };
    const double linf = team.largest(n, 0.0, [=](std::int64_t i) { return fabs(difference(i)); });
    const double squares = team.sum(n, [=](std::int64_t i) { return difference(i) * difference(i); });
    const double l1 = team.sum(n, [=](std::int64_t i) { return fabs(difference(i)); });
    const double l0 = team.sum(n, [=](std::int64_t i) { return x[i] != clean[i] ? 1.0f : 0.0f; });
    const float highest = team.largest(n, -INFINITY, [=](std::int64_t i) { return x[i]; });
    const float lowest = -team.largest(n, -INFINITY, [=](std::int64_t i) { return -x[i]; });
    if (team.leads()) a.norm[row] = {linf, sqrt(squares), l1, l0, lowest, highest};
  }
};

struct CountRow {
  CountZeroGradients a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.sample[row] < 0 || (a.done != nullptr && a.done[row] != 0)) return;
    const float* const g = a.gradient + row * a.cols;
    const bool zero = team.first(a.cols, [=](std::int64_t i) { return g[i] > 0 || g[i] < 0; }) == a.cols;
    if (!team.leads()) return;
    a.total[row] += 1;
    if (zero) a.zeros[row] += 1;
  }
};

}  // namespace

void measure_perturbation(const Queue& queue, const MeasurePerturbation& args) {
  for_each_row(queue, args.rows, args.cols, MeasureRow{args});
}

void count_zero_gradients(const Queue& queue, const CountZeroGradients& args) {
  for_each_row(queue, args.rows, args.cols, CountRow{args});
}

INOCULA_END_TARGET
