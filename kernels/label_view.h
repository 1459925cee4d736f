// A label as a problem of two classes: its logits, and their gradient back in its own column.
#pragma once

#include <cstdint>

namespace inocula {

/// label_logits: pairs[n][j] = (0, logits[n][first + j]). The softmax of a pair is (1 - sigmoid(z),
/// sigmoid(z)), and its cross-entropy the binary one.
struct LabelLogits {
  const float* logits = nullptr;  ///< (rows, labels)
  float* pairs = nullptr;         ///< (rows, count, 2)
  std::int64_t rows = 0, labels = 0;
  std::int64_t first = 0, count = 1;  ///< labels that are taken
};

/// label_gradient: dlogits[n][j] = dpairs[n][1] where j is the label, 0 elsewhere. What reaches the pair's
/// constant 0 reaches no logit.
struct LabelGradient {
  const float* dpairs = nullptr;  ///< (rows, 2)
  float* dlogits = nullptr;       ///< (rows, labels)
  std::int64_t rows = 0, labels = 0;
  std::int64_t label = 0;
};

}  // namespace inocula
