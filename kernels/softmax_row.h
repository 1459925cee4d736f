// The softmax of a row of logits, and the Kullback-Leibler divergence between two such rows.
#pragma once

#include <cstdint>

#include "kernels/for_each.h"
#include "kernels/target.h"
#include "kernels/top_label.h"

INOCULA_BEGIN_TARGET

struct SoftmaxRow {
  const float* z;
  float peak;
  std::int64_t top;      ///< the likeliest class
  double unit, log_sum;  ///< 1 / denominator, ln of the denominator, both relative to the peak

  INOCULA_DEVICE double probability(std::int64_t j) const { return unit * exp_below(z[j], peak); }
  /// From the logit: finite where the probability is 0.
  INOCULA_DEVICE double log_probability(std::int64_t j) const {
    return (static_cast<double>(z[j]) - peak) - log_sum;
  }
};

INOCULA_DEVICE inline SoftmaxRow softmax_row(const Team& team, const float* z, std::int64_t classes) {
  const TopLabel top = find_top_label(team, z, classes);
  return {z, top.logit, top.index, 1.0 / (1.0 + top.others), portable_log1p(top.others)};
}

/// KL(p || q) = sum over j of p[j] ln(p[j] / q[j]), and its derivatives by the logits of either.
struct KlRow {
  SoftmaxRow p, q;

  INOCULA_DEVICE double log_ratio(std::int64_t j) const {
    return p.log_probability(j) - q.log_probability(j);
  }
  /// What class j adds.
  INOCULA_DEVICE double share(std::int64_t j) const { return p.probability(j) * log_ratio(j); }
  /// By p's logit j; `divergence` is the whole sum.
  INOCULA_DEVICE double slope_p(std::int64_t j, double divergence) const {
    return p.probability(j) * (log_ratio(j) - divergence);
  }
  /// By q's logit j: q[j] - p[j]. For p's likeliest class that would round to 0 where both are sure of it, so
  /// there it is `of_top`, what the other classes leave.
  INOCULA_DEVICE double slope_q(std::int64_t j, double of_top) const {
    return j == p.top ? of_top : q.probability(j) - p.probability(j);
  }
  INOCULA_DEVICE double slope_q_of_top(const Team& team, std::int64_t classes) const {
    const KlRow row = *this;
    return -team.sum(classes, [=](std::int64_t j) { return row.slope_q(j, 0.0); });
  }
};

INOCULA_END_TARGET
