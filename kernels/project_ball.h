// The nearest point of an L1 or L2 ball around an image and of the box together, row by row.
#pragma once

#include <cstdint>

namespace inocula {

/// x becomes the Euclidean projection of x onto the ball of radius eps around clean and [lo, hi], not of one
/// after the other. With z = x - clean:
///   project_l1: clip(clean + sign(z) max(|z| - m, 0)), the least m >= 0 that the ball allows;
///   project_l2: clip(clean + s z), the largest s in [0, 1] that it allows.
/// The multiplier is bisected to the last bit of a double. Stored floats lie in ball and box; a row that does
/// so stays as it is. A NaN in x becomes its clean value.
struct ProjectBall {
  float* x = nullptr;            ///< (rows, cols), updated in place
  const float* clean = nullptr;  ///< (rows, cols), in [lo, hi]
  std::int64_t rows = 0, cols = 0;
  float eps = 0;  ///< 0 or more
  float lo = 0, hi = 1;
  const float* eps_scale = nullptr;  ///< (rows): factors of eps; null: 1
};

}  // namespace inocula
