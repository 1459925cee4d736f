// Auto-PGD: steps with momentum whose length each sample halves for itself.
//
// Croce, Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
// attacks", ICML 2020. All arrays of images are plain fp32 (rows, cols), one row a sample.
#pragma once

#include <cstdint>

namespace inocula {

/// What a sample carries from step to step. All zero before the first apgd_look.
struct ApgdState {
  float step = 0;           ///< eta, in pixel units
  float loss = 0;           ///< at the last iterate
  float best_loss = 0;      ///< so far
  float checked_loss = 0;   ///< the best at the last checkpoint
  std::int32_t turn = 0;    ///< iterates looked at
  std::int32_t window = 0;  ///< steps between the last checkpoint and the next
  std::int32_t since = 0;   ///< steps since the last checkpoint
  std::int32_t rises = 0;   ///< of these, how many raised the loss
  std::int32_t halved = 0;  ///< whether the last checkpoint halved the step; the first one counts as if
};

/// When checkpoints are due, in steps: after `first`, then after ever fewer.
struct ApgdSchedule {
  std::int32_t first = 22, decrease = 3, least = 6;
  float share = 0.75f;  ///< rho: where no more of a window's steps raised the loss, the step is halved
};

/// apgd_look: takes note of an iterate. A better one than all before becomes the best, with its gradient. A
/// row that hits for the first time is done: its iterate is kept in `best` and nothing of the row changes any
/// more. At a checkpoint the step is halved, and x and gradient become the best's, where at most share *
/// window steps raised the loss, or where the last checkpoint did not halve and the best loss is what it was
/// then. A NaN loss is never better.
struct ApgdLook {
  float* x = nullptr;           ///< (rows, cols); changed at checkpoints
  float* gradient = nullptr;    ///< (rows, cols), of the loss at x; changed at checkpoints; null at the end
  const float* loss = nullptr;  ///< (rows), that the attack raises
  const std::int32_t* hit = nullptr;     ///< (rows): 1 where x reaches the attack's aim
  const std::int32_t* sample = nullptr;  ///< (rows): negative where a row is padding, which is done at once
  float* best = nullptr;                 ///< (rows, cols)
  float* best_gradient = nullptr;        ///< (rows, cols)
  ApgdState* state = nullptr;            ///< (rows)
  std::int32_t* done = nullptr;          ///< (rows); 0 before the first look
  std::int64_t rows = 0, cols = 0;
  float step = 0;                    ///< eta of the first step
  const float* eps_scale = nullptr;  ///< (rows): factors of step; null: 1
  ApgdSchedule schedule = {};
};

/// apgd_step_*: z = P(x + eta dir(g)), x' = P(x + a (z - x) + (1 - a) (x - previous)), a = 1 in the first
/// step and 0.75 after it; then previous = x and x = x'. P is the projection to ball and pixel range, dir =
/// sign for L-infinity, g / ||g||_2 for L2. Rows that are done stay. Afterwards |x - clean| <= eps and lo <=
/// x <= hi hold for the stored floats.
struct ApgdStep {
  float* x = nullptr;               ///< (rows, cols), updated in place
  float* previous = nullptr;        ///< (rows, cols), updated in place; x before the first step
  const float* gradient = nullptr;  ///< (rows, cols)
  const float* clean = nullptr;     ///< (rows, cols), in [lo, hi]
  const ApgdState* state = nullptr;
  const std::int32_t* done = nullptr;
  std::int64_t rows = 0, cols = 0;
  float eps = 0;
  float lo = 0, hi = 1;
  const float* eps_scale = nullptr;  ///< (rows): factors of eps; null: 1
};

}  // namespace inocula
