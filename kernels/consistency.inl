// Body of the consistency loss.
#include "kernels/consistency.h"

#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/top_label.h"

INOCULA_BEGIN_TARGET

namespace {

/// Below this the mean counts as this: the clamp of the authors' implementation.
constexpr double kLeastMean = 1e-7;

/// ln x for 0 < x <= 1.
INOCULA_DEVICE inline double log_of_probability(double x) {
  return -portable_log1p(1.0 / x - 1.0);
}

/// The softmax of one view's row.
struct View {
  const float* z;
  float peak;
  double unit, log_sum;  ///< 1 / denominator, ln of the denominator, both relative to the peak

  INOCULA_DEVICE double probability(std::int64_t j) const { return unit * exp_below(z[j], peak); }
  /// From the logit: finite where the probability is 0.
  INOCULA_DEVICE double log_probability(std::int64_t j) const {
    return (static_cast<double>(z[j]) - peak) - log_sum;
  }
};

/// All views of one image.
struct Views {
  View view[kMostViews];
  int count;

  INOCULA_DEVICE double mean(std::int64_t j) const {
    double sum = 0;
    for (int v = 0; v < count; ++v) sum += view[v].probability(j);
    return sum / count;
  }
  INOCULA_DEVICE double divergence(std::int64_t j) const {
    const double m = mean(j), log_m = log_of_probability(m < kLeastMean ? kLeastMean : m);
    double sum = 0;
    for (int v = 0; v < count; ++v) sum += view[v].probability(j) * (view[v].log_probability(j) - log_m);
    return sum / count;
  }
  /// Derivative of the divergence by p_v[j].
  INOCULA_DEVICE double slope(int v, std::int64_t j) const {
    const double m = mean(j);
    const double log_m = log_of_probability(m < kLeastMean ? kLeastMean : m);
    return (view[v].log_probability(j) - log_m + (m < kLeastMean ? 1.0 : 0.0)) / count;
  }
};

struct JsdCeRow {
  JsdCe a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t classes = a.classes, label = a.label[row];
    Views views;
    views.count = a.views;
    TopLabel first;
    for (int v = 0; v < a.views; ++v) {
      const float* const z = a.logits + (v * a.rows + row) * classes;
      const TopLabel top = find_top_label(team, z, classes);
      if (v == 0) first = top;
      views.view[v] = {z, top.logit, 1.0 / (1.0 + top.others), portable_log1p(top.others)};
    }
    const double divergence = team.sum(classes, [=](std::int64_t j) { return views.divergence(j); });
    if (team.leads()) {
      const double below = static_cast<double>(first.logit) - views.view[0].z[label];
      a.loss[row] = static_cast<float>(below + views.view[0].log_sum + a.weight * divergence);
      a.predicted[row] = static_cast<std::int32_t>(first.index);
    }
    // The cross-entropy's share of the true class, as in softmax_ce.
    const double others =
        team.sum(classes, [=](std::int64_t j) { return j == label ? 0.0 : views.view[0].probability(j); });
    const double weight = a.weight, scale = a.scale;
    for (int v = 0; v < a.views; ++v) {
      const double mean_slope =
          team.sum(classes, [=](std::int64_t j) { return views.view[v].probability(j) * views.slope(v, j); });
      float* const dz = a.dlogits + (v * a.rows + row) * classes;
      team.each(classes, [=](std::int64_t j) {
        const double p = views.view[v].probability(j);
        const double ce = v != 0 ? 0.0 : j == label ? -others : p;
        dz[j] = static_cast<float>(scale * (ce + weight * p * (views.slope(v, j) - mean_slope)));
      });
    }
  }
};

/// Operations that a class and a view cost, roughly: rows of few classes are worth sharing out.
constexpr std::int64_t kClassCost = 128;

}  // namespace

void jsd_ce(const Queue& queue, const JsdCe& args) {
  for_each_row(queue, args.rows, args.classes * args.views * kClassCost, JsdCeRow{args});
}

INOCULA_END_TARGET
