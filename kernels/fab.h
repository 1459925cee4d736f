// FAB's steps: towards the boundary as the gradient sees it, and back towards the image.
//
// Croce, Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML 2020.
#pragma once

#include <cstdint>

#include "kernels/nearest.h"
#include "kernels/step_state.h"

namespace inocula {

/// fab_start: x = clean for draws number 0, else clip(clean + radius t / ||t||), t uniform in (-1, 1)
/// for linf and standard normal for l2 and l1.
struct FabStart {
  float* x = nullptr;                    ///< (rows, cols), written
  const float* clean = nullptr;          ///< (rows, cols), in [lo, hi]
  const std::int32_t* sample = nullptr;  ///< (rows): index of the image in its data set
  const StepState* state = nullptr;
  const std::int32_t* restart =
      nullptr;  ///< (rows): number of each row's draws, added to the state's; may be null
  std::int64_t rows = 0, cols = 0;
  float radius = 0;                  ///< in the attack's norm, finite
  const float* eps_scale = nullptr;  ///< (rows): factors of radius; null: 1
  float lo = 0, hi = 1;
  Distance norm = Distance::linf;  ///< linf, l2 or l1
};

/// What FAB adds to a gradient's norm before it divides by it.
inline constexpr double kFabFloor = 1e-12;

/// keep_boundary: a class's boundary replaces the kept one if the row is nearer to it, as far as the gradient
/// tells: |margin| / (||gradient|| + 1e-12), the norm dual to the attack's.
struct KeepBoundary {
  const float* gradient = nullptr;  ///< (rows, cols): of margin, by the image
  const float* margin = nullptr;    ///< (rows): the class's logit less the label's
  float* kept_gradient = nullptr;   ///< (rows, cols)
  float* kept_margin = nullptr;     ///< (rows)
  float* distance = nullptr;        ///< (rows): of the kept one; +infinity before the first
  std::int64_t rows = 0, cols = 0;
  Distance norm = Distance::linf;  ///< the attack's: linf, l2 or l1
};

/// fab_step: with d1 and d2 the least moves of x and of the clean image to the plane margin + <gradient, . -
/// x> = 0 inside the box (kernels/hyperplane.h) and a = min(||d1|| / (||d1|| + ||d2||), alpha_max), norms at
/// least 1e-8: x <- clip((1 - a) (x + eta d1) + a (clean + eta d2)). A NaN margin has no moves, and x goes
/// towards the clean image.
struct FabStep {
  float* x = nullptr;               ///< (rows, cols), in [lo, hi], updated in place
  const float* clean = nullptr;     ///< (rows, cols), in [lo, hi]
  const float* gradient = nullptr;  ///< (rows, cols): of margin, by x
  const float* margin = nullptr;    ///< (rows): at x
  std::int64_t rows = 0, cols = 0;
  float alpha_max = 0, eta = 1;
  float lo = 0, hi = 1;
  Distance norm = Distance::linf;  ///< linf, l2 or l1
};

/// fab_retreat: a row that hits goes back: x <- clip(clean + beta (x - clean)).
struct FabRetreat {
  float* x = nullptr;                 ///< (rows, cols), updated in place
  const float* clean = nullptr;       ///< (rows, cols)
  const std::int32_t* hit = nullptr;  ///< (rows): 1 where x is adversarial
  std::int64_t rows = 0, cols = 0;
  float beta = 1;  ///< in [0, 1]
  float lo = 0, hi = 1;
};

}  // namespace inocula
