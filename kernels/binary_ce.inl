// Body of the binary cross-entropy.
#include "kernels/binary_ce.h"

#include "kernels/for_each.h"
#include "kernels/portable_math.h"

INOCULA_BEGIN_TARGET

namespace {

/// One label's logit, turned so that the decision is wrong where `d` is above 0.
struct Decision {
  double d, e;  ///< e = e^-|d|

  INOCULA_DEVICE Decision(float z, std::int32_t label)
      : d(label != 0 ? -static_cast<double>(z) : static_cast<double>(z)), e(portable_exp(d > 0 ? -d : d)) {}

  /// ln(1 + e^d); NaN of NaN.
  INOCULA_DEVICE double loss() const { return (d < 0 ? 0.0 : d) + portable_log1p(e); }
  /// sigmoid(d)
  INOCULA_DEVICE double slope() const { return (d > 0 ? 1.0 : e) / (1.0 + e); }
};

struct BinaryCeRow {
  BinaryCe a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const z = a.logits + row * a.labels;
    const std::int32_t* const label = a.label + row * a.labels;
    if (a.loss != nullptr) {
      const double loss = team.sum(a.labels, [=](std::int64_t j) { return Decision(z[j], label[j]).loss(); });
      if (team.leads()) a.loss[row] = static_cast<float>(loss);
    }
    if (a.predicted != nullptr) {
      std::int32_t* const predicted = a.predicted + row * a.labels;
      team.each(a.labels, [=](std::int64_t j) { predicted[j] = z[j] > 0 ? 1 : 0; });
    }
    if (a.dlogits == nullptr) return;
    float* const dz = a.dlogits + row * a.labels;
    const double scale = a.scale;
    team.each(a.labels, [=](std::int64_t j) {
      const double slope = scale * Decision(z[j], label[j]).slope();
      dz[j] = static_cast<float>(label[j] != 0 ? -slope : slope);
    });
  }
};

/// Multiplications that a label costs, roughly.
constexpr std::int64_t kLabelCost = 64;

}  // namespace

void binary_ce(const Queue& queue, const BinaryCe& args) {
  for_each_row(queue, args.rows, args.labels * kLabelCost, BinaryCeRow{args});
}

INOCULA_END_TARGET
