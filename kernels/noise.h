// Noise as a camera or a broken sensor makes it, a function of (seed, step, sample): corruptions of images.
//
// The first three with the semantics of skimage.util.random_noise ("gaussian", "speckle", "s&p"), the fourth
// as in Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and
// perturbations" (ICLR 2019).
#pragma once

#include <cstdint>

#include "kernels/step_state.h"

namespace inocula {

/// Images are (rows, cols) with all channels of an image in its row; each value gets noise of its own. What
/// is drawn depends on the kind of noise and not on its level, so that a series of levels differs in strength
/// alone. A row of negative `sample` is padding and gets some noise too.
struct Noise {
  float* y = nullptr;                    ///< (rows, cols), written; may be x
  const float* x = nullptr;              ///< (rows, cols), in [lo, hi]
  const std::int32_t* sample = nullptr;  ///< (rows): index of the image in its data set
  const StepState* state = nullptr;
  std::int64_t rows = 0, cols = 0;
  float level = 0;
  float lo = 0, hi = 1;
};

/// gaussian_noise: clip(x + n), n normal with mean 0 and variance `level`.
/// speckle_noise:  clip(x + x n), n as above.
/// impulse_noise:  with probability `level` hi or lo, each as often as the other; else x.
/// shot_noise:     clip(k / level), k Poisson with mean level * x: `level` photons make a white pixel, and
///                 fewer are noisier. Level is at most kMostPhotons. Needs lo = 0.

/// Drawing takes time in proportion to the photons.
inline constexpr float kMostPhotons = 65536;

}  // namespace inocula
