// Auto-PGD in the L1 norm: sparse steps, whose length and sparsity each sample chooses for itself.
//
// Croce, Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML 2021. All
// arrays of images are plain fp32 (rows, cols), one row a sample.
#pragma once

#include <cstdint>

namespace inocula {

/// What a sample carries from step to step. All zero before the first sparse_apgd_look.
struct SparseApgdState {
  float step = 0;            ///< eta, in the L1 norm
  float best_loss = 0;       ///< so far
  std::int32_t turn = 0;     ///< iterates looked at
  std::int32_t since = 0;    ///< steps since the last check
  std::int32_t count = 0;    ///< coordinates that share a step
  std::int32_t support = 0;  ///< values of the best that differed from the image at the last check
};

/// sparse_apgd_look: takes note of an iterate. A better one than all before becomes the best, with its
/// gradient. A row that hits for the first time is done: its iterate is kept in `best` and nothing of the row
/// changes any more. At the first look and every `every` steps after it is chosen how many coordinates share
/// a step: the number of values in which the best differs from the image and that are not at the border,
/// divided by 1.5. The paper counts those at the border too, and lets them have their part of a step although
/// they cannot move; then nothing does once all that are chosen are there. Where at least 5 % fewer values
/// than at the last check differ at all, the step is as long as the first again, and x and gradient become
/// the best's; else it is divided by 1.5, down to a tenth of the first. A NaN loss is never better.
struct SparseApgdLook {
  float* x = nullptr;                    ///< (rows, cols); changed at checks
  float* gradient = nullptr;             ///< (rows, cols), at x; changed at checks; null at the end
  const float* clean = nullptr;          ///< (rows, cols)
  const float* loss = nullptr;           ///< (rows), that the attack raises
  const std::int32_t* hit = nullptr;     ///< (rows): 1 where x reaches the attack's aim; null: nothing ends
  const std::int32_t* sample = nullptr;  ///< (rows): negative where a row is padding, which is done at once
  float* best = nullptr;                 ///< (rows, cols)
  float* best_gradient = nullptr;        ///< (rows, cols)
  SparseApgdState* state = nullptr;      ///< (rows)
  std::int32_t* done = nullptr;          ///< (rows); 0 before the first look
  std::int64_t rows = 0, cols = 0;
  float step = 0;  ///< eta of the first step, and the largest
  std::int32_t every = 1;
  float lo = 0, hi = 1;
};

/// sparse_apgd_step: x += eta s, s along the gradient's sign as kernels/sparse_move.h says. Rows that are
/// done stay. project_l1 is to follow.
struct SparseApgdStep {
  float* x = nullptr;               ///< (rows, cols), in [lo, hi]; updated in place
  const float* gradient = nullptr;  ///< (rows, cols)
  const SparseApgdState* state = nullptr;
  const std::int32_t* done = nullptr;
  std::int64_t rows = 0, cols = 0;
  float lo = 0, hi = 1;
};

}  // namespace inocula
