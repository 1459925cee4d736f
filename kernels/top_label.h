// The most likely class of a row of logits, and how much probability the other classes leave it.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

struct TopLabel {
  float logit = 0;
  std::int64_t index = 0;  ///< the lowest among equals; 0 where every logit is NaN
  /// Sum of exp(z_j - logit) over the other classes: the softmax's denominator less 1, so that a confident
  /// row keeps all its digits. NaN where a logit is NaN or the largest is infinite.
  double others = 0;
};

INOCULA_DEVICE inline double exp_below(float z, float top) {
  return portable_exp(static_cast<double>(z) - top);
}

INOCULA_DEVICE inline TopLabel find_top_label(const Team& team, const float* z, std::int64_t classes) {
  TopLabel top;
  const float largest = team.largest(classes, -INFINITY, [=](std::int64_t j) { return z[j]; });
  const std::int64_t found = team.first(classes, [=](std::int64_t j) { return z[j] == largest; });
  const std::int64_t index = found < classes ? found : 0;
  top.logit = largest;
  top.index = index;
  top.others = team.sum(classes, [=](std::int64_t j) {
    const double e = exp_below(z[j], largest);
    return j == index ? e - 1.0 : e;  // e^0 is exactly 1
  });
  return top;
}

INOCULA_END_TARGET
