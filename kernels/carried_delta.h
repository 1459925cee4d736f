// A perturbation kept apart from its images, so that it can be carried from one batch to the next.
//
// Shafahi et al., "Adversarial training for free!", NeurIPS 2019. All arrays are plain fp32 of one shape.
#pragma once

#include <cstdint>

namespace inocula {

/// add_delta: x = clip(project(clean + delta)): |x - clean| <= eps and lo <= x <= hi hold for the stored
/// floats.
struct AddDelta {
  float* x = nullptr;            ///< (size), written
  const float* clean = nullptr;  ///< (size), in [lo, hi]
  const float* delta = nullptr;  ///< (size), in [-eps, eps]
  std::int64_t size = 0;
  float eps = 0;         ///< radius of the L-infinity ball in pixel units
  float lo = 0, hi = 1;  ///< pixel range
};

/// ascend_delta_linf: delta <- clip(delta + eps sign(g)) to [-eps, eps], sign(0) = 0; a NaN gradient leaves
/// its element.
struct AscendDelta {
  float* delta = nullptr;           ///< (size), updated in place
  const float* gradient = nullptr;  ///< (size), of the loss with respect to the perturbed images
  std::int64_t size = 0;
  float eps = 0;  ///< radius of the ball and length of the step, in pixel units
};

}  // namespace inocula
