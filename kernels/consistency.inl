// Bodies of the consistency losses.
#include "kernels/consistency.h"

#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/softmax_row.h"

INOCULA_BEGIN_TARGET

namespace {

/// Below this the mean counts as this: the clamp of the authors' implementation.
constexpr double kLeastMean = 1e-7;

/// ln x for 0 < x <= 1.
INOCULA_DEVICE inline double log_of_probability(double x) {
  return -portable_log1p(1.0 / x - 1.0);
}

/// All views of one image.
struct Views {
  SoftmaxRow view[kMostViews];
  int count;
};

/// A divergence says what a class adds to it (`share`), the sum that a view's derivatives need (`common`),
/// and weight times the derivative by logit j of view v (`slope`).
struct JensenShannon {
  Views views;

  INOCULA_DEVICE double mean(std::int64_t j) const {
    double sum = 0;
    for (int v = 0; v < views.count; ++v) sum += views.view[v].probability(j);
    return sum / views.count;
  }
  INOCULA_DEVICE double share(std::int64_t j) const {
    const double m = mean(j), log_m = log_of_probability(m < kLeastMean ? kLeastMean : m);
    double sum = 0;
    for (int v = 0; v < views.count; ++v)
      sum += views.view[v].probability(j) * (views.view[v].log_probability(j) - log_m);
    return sum / views.count;
  }
  /// Derivative by p_v[j].
  INOCULA_DEVICE double slope_of_probability(int v, std::int64_t j) const {
    const double m = mean(j);
    const double log_m = log_of_probability(m < kLeastMean ? kLeastMean : m);
    return (views.view[v].log_probability(j) - log_m + (m < kLeastMean ? 1.0 : 0.0)) / views.count;
  }
  /// The mean of those.
  INOCULA_DEVICE double common(const Team& team, std::int64_t classes, int v, double) const {
    const JensenShannon all = *this;
    return team.sum(classes, [=](std::int64_t j) {
      return all.views.view[v].probability(j) * all.slope_of_probability(v, j);
    });
  }
  INOCULA_DEVICE double slope(int v, std::int64_t j, double common, double weight) const {
    return weight * views.view[v].probability(j) * (slope_of_probability(v, j) - common);
  }
};

struct KullbackLeibler {
  Views views;

  INOCULA_DEVICE KlRow row() const { return {views.view[0], views.view[1]}; }
  INOCULA_DEVICE double share(std::int64_t j) const { return row().share(j); }
  INOCULA_DEVICE double common(const Team& team, std::int64_t classes, int v, double divergence) const {
    return v == 0 ? divergence : row().slope_q_of_top(team, classes);
  }
  INOCULA_DEVICE double slope(int v, std::int64_t j, double common, double weight) const {
    return weight * (v == 0 ? row().slope_p(j, common) : row().slope_q(j, common));
  }
};

template <class Divergence>
struct ConsistencyRow {
  ConsistencyCe a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t classes = a.classes, label = a.label[row];
    Divergence between;
    between.views.count = a.views;
    for (int v = 0; v < a.views; ++v)
      between.views.view[v] = softmax_row(team, a.logits + (v * a.rows + row) * classes, classes);
    const SoftmaxRow first = between.views.view[0];
    const double divergence = team.sum(classes, [=](std::int64_t j) { return between.share(j); });
    if (team.leads()) {
      const double below = static_cast<double>(first.peak) - first.z[label];
      a.loss[row] = static_cast<float>(below + first.log_sum + a.weight * divergence);
      a.predicted[row] = static_cast<std::int32_t>(first.top);
    }
    // The cross-entropy's share of the true class, as in softmax_ce.
    const double others =
        team.sum(classes, [=](std::int64_t j) { return j == label ? 0.0 : first.probability(j); });
    const double weight = a.weight, scale = a.scale;
    for (int v = 0; v < a.views; ++v) {
      const double common = between.common(team, classes, v, divergence);
      float* const dz = a.dlogits + (v * a.rows + row) * classes;
      team.each(classes, [=](std::int64_t j) {
        const double ce = v != 0 ? 0.0 : j == label ? -others : first.probability(j);
        dz[j] = static_cast<float>(scale * (ce + between.slope(v, j, common, weight)));
      });
    }
  }
};

/// Operations that a class and a view cost, roughly: rows of few classes are worth sharing out.
constexpr std::int64_t kClassCost = 128;

template <class Divergence>
void consistency_ce(const Queue& queue, const ConsistencyCe& args) {
  for_each_row(queue, args.rows, args.classes * args.views * kClassCost, ConsistencyRow<Divergence>{args});
}

}  // namespace

void jsd_ce(const Queue& queue, const ConsistencyCe& args) {
  consistency_ce<JensenShannon>(queue, args);
}

void kl_ce(const Queue& queue, const ConsistencyCe& args) {
  consistency_ce<KullbackLeibler>(queue, args);
}

INOCULA_END_TARGET
