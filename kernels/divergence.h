// The Kullback-Leibler divergence of answers from reference answers, with its gradient.
#pragma once

#include <cstdint>

namespace inocula {

/// kl_divergence: with p = softmax(reference) and q = softmax(logits), row by row,
///   loss = KL(p || q) = sum over j of p[j] ln(p[j] / q[j])  and  dlogits = q - p,
/// its gradient by `logits`; p is a constant. The entry of p's likeliest class is minus the sum of the
/// others, so that rows which are sure of the same class keep a direction. Computed in double. A NaN or
/// +infinite logit makes its row's loss and gradient NaN, one of -infinity its loss infinite or NaN. What an
/// attack climbs in Zhang et al., "Theoretically principled trade-off between robustness and accuracy", ICML
/// 2019.
struct KlDivergence {
  const float* reference = nullptr;   ///< (rows, classes)
  const float* logits = nullptr;      ///< (rows, classes)
  float* dlogits = nullptr;           ///< (rows, classes), may be null
  float* loss = nullptr;              ///< (rows)
  std::int32_t* predicted = nullptr;  ///< (rows): arg max of `logits`, the lowest index among equals
  std::int64_t rows = 0, classes = 0;
};

}  // namespace inocula
