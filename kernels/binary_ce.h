// Binary cross-entropy of several labels from logits, with its gradient; stable for logits of any size.
#pragma once

#include <cstdint>

namespace inocula {

/// binary_ce: each label of an image is a decision of its own, -ln sigmoid(z) where it is there and
/// -ln (1 - sigmoid(z)) where it is not: loss = sum over labels of max(z, 0) - z y + ln(1 + e^-|z|), and
/// dz = scale (sigmoid(z) - y). With d = z where the label is absent and -z where it is there, that is
/// ln(1 + e^d) and +-sigmoid(d), so that nothing cancels: a decision that is right by a margin of 100 still
/// has a gradient. Computed in double. A NaN logit makes its row's loss and its own gradient NaN. Every
/// output may be null.
struct BinaryCe {
  const float* logits = nullptr;        ///< (rows, labels)
  const std::int32_t* label = nullptr;  ///< (rows, labels), each 0 or 1
  float* dlogits = nullptr;             ///< (rows, labels)
  float* loss = nullptr;                ///< (rows): the sum over the labels, unscaled
  std::int32_t* predicted = nullptr;    ///< (rows, labels): 1 where the logit is above 0
  std::int64_t rows = 0, labels = 0;
  float scale = 1;  ///< 1 for a summed loss (attacks), 1 / (rows labels) for a mean (training)
};

}  // namespace inocula
