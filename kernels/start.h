// Random starting points of an attack inside its ball, a function of (seed, step, restart, sample).
#pragma once

#include <cstdint>

#include "kernels/region.h"
#include "kernels/step_state.h"

namespace inocula {

struct RandomStart {
  float* x = nullptr;                    ///< (rows, cols), written
  const float* clean = nullptr;          ///< (rows, cols)
  const std::int32_t* sample = nullptr;  ///< (rows): index of the image in its data set
  const StepState* state = nullptr;
  const std::int32_t* restart =
      nullptr;  ///< (rows): number of each row's draws, added to the state's; may be null
  std::int64_t rows = 0, cols = 0;
  float eps = 0;
  float lo = 0, hi = 1;
  float deviation = 0;               ///< start_normal_*: of a pixel, 0 or more
  const float* eps_scale = nullptr;  ///< (rows): factors of eps; null: 1
  Region region = {};                ///< outside it pixels stay, and take no part in a norm
};
/// next_restart: state->restart += 1, so that what is drawn next differs from what was drawn before.
struct NextRestart {
  StepState* state = nullptr;
};

/// start_uniform_linf: clip(clean + U(-eps, eps)), per pixel.
/// start_uniform_l2:   clip(clean + z), z uniform in the L2 ball: of cols + 2 normals, normalised, the first
///                     cols (Voelker, Gosmann, Stewart, "Efficiently sampling vectors and coordinates from
///                     the n-sphere and n-ball", 2017).
/// start_sphere_l2:    clip(clean + eps u), u uniform on the unit sphere.
/// start_normal_linf:  clip(clean + deviation z), z standard normal, moved into the ball where it is outside:
/// start_normal_l2:    pixel by pixel, or brought to the sphere.

}  // namespace inocula
