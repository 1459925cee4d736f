// One step of projected gradient descent, fused: ascend, project to the ball, clip to the pixel range.
//
// Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.
// All arrays are plain fp32 (rows, cols): one row a sample. The gradient is that of the loss *summed* over
// the batch. Afterwards |x - clean| <= eps and lo <= x <= hi hold for the stored floats.
#pragma once

#include <cstdint>

namespace inocula {

struct PgdStep {
  float* x = nullptr;               ///< (rows, cols), updated in place
  const float* gradient = nullptr;  ///< (rows, cols)
  const float* clean = nullptr;     ///< (rows, cols), in [lo, hi]
  std::int64_t rows = 0, cols = 0;
  float alpha = 0;       ///< step length in pixel units, signed: negative descends (targeted attacks)
  float eps = 0;         ///< radius of the ball in pixel units
  float lo = 0, hi = 1;  ///< pixel range
  const float* eps_scale = nullptr;  ///< (rows): factors of alpha and eps; null: 1
};
/// pgd_step_linf: x <- clip(project(x + alpha sign(g))), sign(0) = 0; a NaN gradient leaves its pixel.
/// pgd_step_l2:   x <- clip(project(x + alpha g / ||g||_2)), norms per sample and free of overflow and
///                underflow; a gradient that is nowhere above 1e-37 in magnitude, or somewhere infinite,
///                moves nothing, and a NaN in it counts as 0.

/// accumulate_momentum: m <- decay m + g / ||g||_1, the norm per sample; a gradient that is nowhere above
/// 1e-37 in magnitude, or somewhere infinite, adds nothing, and a NaN in it counts as 0. Dong et al.,
/// "Boosting adversarial attacks with momentum", CVPR 2018.
struct AccumulateMomentum {
  float* momentum = nullptr;        ///< (rows, cols), updated in place
  const float* gradient = nullptr;  ///< (rows, cols)
  std::int64_t rows = 0, cols = 0;
  float decay = 1;
};

}  // namespace inocula
