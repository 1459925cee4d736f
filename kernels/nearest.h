// Keeping, per sample, the nearest adversarial image found so far.
#pragma once

#include <cstdint>

namespace inocula {

/// How far two images are apart: the largest difference, the root of the summed squares, the sum, or the
/// number of values that differ. Summed in double.
enum class Distance : std::int32_t { linf, l2, l1, l0 };

/// keep_nearest: a row that hits replaces the kept one if it is strictly nearer to its clean image.
struct KeepNearest {
  const float* x = nullptr;           ///< (rows, cols) candidates
  const float* clean = nullptr;       ///< (rows, cols)
  const std::int32_t* hit = nullptr;  ///< (rows): 1 where the candidate reaches the attack's aim
  float* nearest = nullptr;           ///< (rows, cols)
  float* distance = nullptr;          ///< (rows); +infinity before the first hit
  std::int64_t rows = 0, cols = 0;
  Distance norm = Distance::l2;
};

/// release_beyond: a row that is further away than eps, or never hit, becomes its clean image.
struct ReleaseBeyond {
  float* x = nullptr;               ///< (rows, cols), updated in place
  const float* clean = nullptr;     ///< (rows, cols)
  const float* distance = nullptr;  ///< (rows), as keep_nearest left it
  std::int64_t rows = 0, cols = 0;
  float eps = 0;                     ///< may be infinite
  const float* eps_scale = nullptr;  ///< (rows): factors of eps; null: 1
};

}  // namespace inocula
