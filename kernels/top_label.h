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

/// Rows of at most this many classes, one piece's lanes, are taken side by side rather than each by a team.
inline constexpr int kFewClasses = kSumLanes;

/// Rows side by side: a vector of doubles on the CPU, one a thread on a GPU.
#if !defined(INOCULA_CUDA)
inline constexpr int kRowsAbreast = 8;
#else
inline constexpr int kRowsAbreast = 1;
#endif

/// A number of each row.
template <class T>
using OfRows = T[kRowsAbreast];

/// What a team's sum makes of rows of n elements, 1 <= n <= kFewClasses, element i of all rows in lane[i]; to
/// the same bits. `lane` has room for kFewClasses and is used up.
INOCULA_DEVICE inline void sum_rows(int n, OfRows<double>* lane, OfRows<double>& sum) {
  // Starting from 0, lanes are never -0, and those that a row does not have would change nothing.
  for (int i = 0; i < 4 || i < n; ++i) {
#pragma omp simd
    for (int r = 0; r < kRowsAbreast; ++r) lane[i][r] = i < n ? 0.0 + lane[i][r] : 0.0;
  }
  for (int distance = kSumLanes / 2; distance >= 4; distance /= 2) {
    for (int i = 0; i < distance && i + distance < n; ++i) {
#pragma omp simd
      for (int r = 0; r < kRowsAbreast; ++r) lane[i][r] += lane[i + distance][r];
    }
  }
#pragma omp simd
  for (int r = 0; r < kRowsAbreast; ++r) sum[r] = (lane[0][r] + lane[2][r]) + (lane[1][r] + lane[3][r]);
}

/// What find_top_label says of kRowsAbreast rows, to the same bits.
struct TopLabels {
  OfRows<float> z[kFewClasses];  ///< the logits, a class's of all rows together
  OfRows<float> logit;
  OfRows<std::int32_t> index;
  OfRows<double> e[kFewClasses];  ///< exp(z - logit)
  OfRows<double> others;
};

/// Of `count` rows of logits, 1 <= count; lanes beyond repeat the first. 1 <= classes <= kFewClasses.
INOCULA_DEVICE inline void find_top_labels(const float* logits, std::int64_t count, int classes,
                                           TopLabels& top) {
  for (int r = 0; r < kRowsAbreast; ++r) {
    const float* const row = logits + (r < count ? r : 0) * std::int64_t{classes};
    for (int j = 0; j < classes; ++j) top.z[j][r] = row[j];
  }
  for (float& logit : top.logit) logit = -INFINITY;
  for (std::int32_t& index : top.index) index = 0;
  for (int j = 0; j < classes; ++j) {
#pragma omp simd
    for (int r = 0; r < kRowsAbreast; ++r)
      top.logit[r] = top.z[j][r] > top.logit[r] ? top.z[j][r] : top.logit[r];
  }
  for (int j = classes - 1; j >= 0; --j) {
#pragma omp simd
    for (int r = 0; r < kRowsAbreast; ++r) top.index[r] = top.z[j][r] == top.logit[r] ? j : top.index[r];
  }
  OfRows<double> lane[kFewClasses];
  for (int j = 0; j < classes; ++j) {
#pragma omp simd
    for (int r = 0; r < kRowsAbreast; ++r) top.e[j][r] = exp_below(top.z[j][r], top.logit[r]);
#pragma omp simd
    for (int r = 0; r < kRowsAbreast; ++r) lane[j][r] = top.e[j][r] - (j == top.index[r] ? 1.0 : 0.0);
  }
  sum_rows(classes, lane, top.others);
}

INOCULA_END_TARGET
