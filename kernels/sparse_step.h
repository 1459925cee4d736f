// The step of sparse L1 descent: along the gradient's sign on its largest coordinates.
//
// Tramer, Boneh, "Adversarial training and robustness for multiple perturbations", NeurIPS 2019 (SLIDE).
// Which coordinates move says kernels/sparse_move.h. The step may leave ball and box: project_l1 brings it
// back.
#pragma once

#include <cstdint>

namespace inocula {

struct SparseStep {
  float* x = nullptr;               ///< (rows, cols), in [lo, hi]; updated in place
  const float* gradient = nullptr;  ///< (rows, cols)
  std::int64_t rows = 0, cols = 0;
  std::int64_t count = 1;  ///< coordinates that share the step, at least 1
  float alpha = 0;         ///< length in the L1 norm, signed: negative descends (targeted attacks)
  float lo = 0, hi = 1;    ///< pixel range
};

}  // namespace inocula
