// Body of keep_best.
#include "kernels/best.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

struct KeepRow {
  KeepBest a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float score = a.score[row];
    const std::int32_t hit = a.hit != nullptr ? a.hit[row] : 0;
    const std::int32_t best_hit = a.hit != nullptr ? a.best_hit[row] : 0;
    const bool is_number = score == score;
    const bool better = is_number && (hit != best_hit ? hit > best_hit : score > a.best_score[row]);
    const float* const x = a.x + row * a.cols;
    float* const best_x = a.best_x + row * a.cols;
    team.each(better ? a.cols : 0, [=](std::int64_t i) { best_x[i] = x[i]; });
    if (better && team.leads()) {
      a.best_score[row] = score;
      if (a.hit != nullptr) a.best_hit[row] = hit;
    }
  }
};

}  // namespace

void keep_best(const Queue& queue, const KeepBest& args) {
  for_each_row(queue, args.rows, args.cols, KeepRow{args});
}

INOCULA_END_TARGET
