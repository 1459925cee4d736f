// Bodies of choosing logits.
#include "kernels/logit_pick.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

struct RankRow {
  RankClasses a;

  INOCULA_DEVICE void operator()(std::int64_t row) const {
    const float* const z = a.logits + row * a.classes;
    for (std::int64_t j = 0; j < a.classes; ++j) {
      std::int64_t ahead = 0;
      for (std::int64_t i = 0; i < a.classes; ++i) {
        const bool tied = z[i] == z[j] || (z[i] != z[i] && z[j] != z[j]);
        const bool before = z[i] > z[j] || (z[j] != z[j] && z[i] == z[i]) || (tied && i < j);
        ahead += before ? 1 : 0;
      }
      if (ahead < a.count) a.rank[row * a.count + ahead] = static_cast<std::int32_t>(j);
    }
  }
};

struct PickElement {
  PickLogits a;

  INOCULA_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t row = i / a.classes, k = i % a.classes;
    const std::int32_t* const index = a.index + row * a.columns;
    const bool away = a.away >= 0 && k == index[a.away];
    a.dlogits[i] = k == index[a.toward] ? a.weight : (away ? -1.0f : a.elsewhere);
  }
};

}  // namespace

void rank_classes(const Queue& queue, const RankClasses& args) {
  for_each(queue, args.rows, RankRow{args});
}

void pick_logits(const Queue& queue, const PickLogits& args) {
  for_each(queue, args.rows * args.classes, PickElement{args});
}

INOCULA_END_TARGET
