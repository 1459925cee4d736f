// The step of the Jacobian-based saliency map attack: which values, changed together, raise the target most.
//
// Papernot et al., "The limitations of deep learning in adversarial settings", IEEE EuroS&P 2016.
#pragma once

#include <cstdint>

namespace inocula {

/// saliency_step: with a = grad z_t and b = the gradient of all other logits' sum, taken is the pair p < q of
/// greatest -(a_p + a_q)(b_p + b_q) among those of a_p + a_q > 0 and b_p + b_q < 0 (theta below 0: of the
/// opposite signs), the first in order of p and then q among equals; or, without pairs, the single value of
/// greatest -a_p b_p of the same signs. Values take part that can still move, and whose a and b are finite.
/// What is taken moves by theta, clipped. A row stays as it is once its answer is the target, where more
/// than `most` of its values would then differ from the clean image, or where nothing can be taken.
///
/// The pair is exactly the best of all, however many values there are: with U and V the largest a and -b, p
/// is in no pair better than (a_p + U)(V - b_p), so those values are left out whose bound lies below the best
/// pair of a few promising values. Sums and products in double round monotonously, so rounding does not
/// change this. For each of the values left all partners are looked at.
struct SaliencyStep {
  float* x = nullptr;                    ///< (rows, cols), updated in place
  const float* clean = nullptr;          ///< (rows, cols)
  const float* toward = nullptr;         ///< (rows, cols): a
  const float* others = nullptr;         ///< (rows, cols): b
  const float* logits = nullptr;         ///< (rows, classes), of x
  const std::int32_t* target = nullptr;  ///< (rows)
  const std::int32_t* sample = nullptr;  ///< (rows): negative where a row is padding
  std::int32_t* done = nullptr;          ///< (rows), written: 1 where the row stays for good, or is padding
  std::int64_t rows = 0, cols = 0, classes = 0;
  std::int64_t most = 0;
  float theta = 1;
  std::int32_t pairs = 1;
  float lo = 0, hi = 1;  ///< pixel range
};

}  // namespace inocula
