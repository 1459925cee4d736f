// Body of the softmax cross-entropy.
#include "kernels/softmax_ce.h"

#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/top_label.h"

INOCULA_BEGIN_TARGET

namespace {

/// Rows hold few classes, so all of it is done in double: cheap, and right to the last bit of the float
/// results.
struct SoftmaxCeRow {
  SoftmaxCe a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const z = a.logits + row * a.classes;
    const std::int64_t label = a.label[row];
    const TopLabel top = find_top_label(team, z, a.classes);
    if (team.leads()) {
      if (a.predicted != nullptr) a.predicted[row] = static_cast<std::int32_t>(top.index);
      if (a.loss != nullptr) {
        const double below = static_cast<double>(top.logit) - z[label];
        a.loss[row] = static_cast<float>(below + portable_log1p(top.others));
      }
    }
    if (a.dlogits == nullptr) return;
    float* const dz = a.dlogits + row * a.classes;
    const float peak = top.logit;
    const double unit = a.scale / (1.0 + top.others);
    team.each(a.classes, [=](std::int64_t j) { dz[j] = static_cast<float>(unit * exp_below(z[j], peak)); });
    const double others =
        team.sum(a.classes, [=](std::int64_t j) { return j == label ? 0.0 : static_cast<double>(dz[j]); });
    if (team.leads()) dz[label] = static_cast<float>(-others);
  }
};

/// Multiplications that a class costs, roughly: rows of few classes are worth sharing out.
constexpr std::int64_t kClassCost = 32;

}  // namespace

void softmax_ce(const Queue& queue, const SoftmaxCe& args) {
  for_each_row(queue, args.rows, args.classes * kClassCost, SoftmaxCeRow{args});
}

INOCULA_END_TARGET
