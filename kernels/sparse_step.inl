// Body of the sparse step.
#include "kernels/sparse_step.h"

#include "kernels/for_each.h"
#include "kernels/sparse_move.h"

INOCULA_BEGIN_TARGET

namespace {

struct SparseStepRow {
  SparseStep a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    float* const x = a.x + row * a.cols;
    const SparseMove move(team, a.gradient + row * a.cols, x, a.cols, a.count, a.alpha, a.lo, a.hi);
    team.each(a.cols, [=](std::int64_t i) { x[i] += move(i); });
  }
};

}  // namespace

void sparse_step(const Queue& queue, const SparseStep& args) {
  for_each_row(queue, args.rows, args.cols * kSparseMoveCost, SparseStepRow{args});
}

INOCULA_END_TARGET
