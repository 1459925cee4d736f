// Softmax cross-entropy from logits, with its gradient; stable for margins of 1e4 and beyond.
#pragma once

#include <cstdint>

namespace inocula {

/// softmax_ce: loss = logsumexp(z) - z_label and dz_j = scale p_j, dz_label = -scale sum of the other p_j.
/// The true-class term is that sum, not p_label - 1: the difference rounds to 0 from a margin of 17 on, and
/// the direction of the gradient with it. Computed in double. A NaN or +infinite logit makes its row's loss
/// and gradient NaN. Every output may be null.
struct SoftmaxCe {
  const float* logits = nullptr;        ///< (rows, classes)
  const std::int32_t* label = nullptr;  ///< (rows), each in [0, classes)
  float* dlogits = nullptr;             ///< (rows, classes)
  float* loss = nullptr;                ///< (rows), unscaled
  std::int32_t* predicted = nullptr;    ///< (rows): arg max, the lowest index among equals
  std::int64_t rows = 0, classes = 0;
  float scale = 1;  ///< 1 for a summed loss (attacks), 1 / rows for a mean (training)
};

}  // namespace inocula
