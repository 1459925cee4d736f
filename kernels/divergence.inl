// Body of the divergence from reference answers.
#include "kernels/divergence.h"

#include "kernels/for_each.h"
#include "kernels/softmax_row.h"

INOCULA_BEGIN_TARGET

namespace {

struct KlDivergenceRow {
  KlDivergence a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t classes = a.classes;
    const KlRow kl{softmax_row(team, a.reference + row * classes, classes),
                   softmax_row(team, a.logits + row * classes, classes)};
    const double divergence = team.sum(classes, [=](std::int64_t j) { return kl.share(j); });
    if (team.leads()) {
      a.loss[row] = static_cast<float>(divergence);
      a.predicted[row] = static_cast<std::int32_t>(kl.q.top);
    }
    if (a.dlogits == nullptr) return;
    const double of_top = kl.slope_q_of_top(team, classes);
    float* const dz = a.dlogits + row * classes;
    team.each(classes, [=](std::int64_t j) { dz[j] = static_cast<float>(kl.slope_q(j, of_top)); });
  }
};

/// Operations that a class costs, roughly: rows of few classes are worth sharing out.
constexpr std::int64_t kClassCost = 192;

}  // namespace

void kl_divergence(const Queue& queue, const KlDivergence& args) {
  for_each_row(queue, args.rows, args.classes * kClassCost, KlDivergenceRow{args});
}

INOCULA_END_TARGET
