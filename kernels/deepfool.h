// DeepFool's two parts: which linearised boundary is the nearest, and the step onto it.
//
// Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep neural networks",
// CVPR 2016, algorithm 2. All sums over pixels are in double. A row of `rank` begins with the class that the
// network gives the clean image and goes on with the classes that compete with it.
#pragma once

#include <cstdint>

#include "kernels/nearest.h"

namespace inocula {

/// A boundary that is further away than this counts as none: its class has next to no gradient, and steps so
/// long would overflow when they are added up.
inline constexpr double kFarthestBoundary = 1e30;

/// A class counts as ahead of another if its logit is by this share of both magnitudes together: an image
/// that crossed a boundary by less falls back where another order of additions
/// judges it. Relative to the logits, so that scaling them changes nothing; well above
/// float's 2^-24, and below what an overshoot of 0.02 adds to all but the nearest.
inline constexpr double kLogitLead = 0x1p-16;

/// deepfool_consider: with w = grad(z_k - z_0), k = rank[row][column] and 0 = rank[row][0], the boundary lies
/// |z_k - z_0| / ||w||_q away, q the dual of `norm`. Where that is nearer than what is kept, or where the
/// column is 1, the first competitor's, it replaces distance and step: (|z_k - z_0| / ||w||_2^2) w for l2,
/// (|z_k - z_0| / ||w||_1) sign(w) for linf. A class whose w is zero, or not finite, is passed over; where
/// all are, the distance is infinite and the step zero. A difference of logits below kLogitLead
/// counts as that much, so that a row on the boundary itself, or barely across, still crosses it.
struct DeepFoolConsider {
  const float* gradient = nullptr;     ///< (rows, cols): w
  const float* logits = nullptr;       ///< (rows, classes), of the images where w was taken
  const std::int32_t* rank = nullptr;  ///< (rows, columns)
  float* step = nullptr;               ///< (rows, cols)
  float* distance = nullptr;           ///< (rows)
  std::int64_t rows = 0, cols = 0, classes = 0, columns = 0;
  std::int64_t column = 1;
  Distance norm = Distance::l2;  ///< l2 or linf
};

/// deepfool_move: total += step and x = clip(clean + (1 + overshoot) total). A row stays as it is once its
/// answer is ahead of rank[row][0], where that was not its label to begin with, or where no class has a
/// boundary.
struct DeepFoolMove {
  float* x = nullptr;                    ///< (rows, cols), updated in place
  float* total = nullptr;                ///< (rows, cols), updated in place
  const float* step = nullptr;           ///< (rows, cols)
  const float* distance = nullptr;       ///< (rows)
  const float* clean = nullptr;          ///< (rows, cols)
  const float* logits = nullptr;         ///< (rows, classes) of x
  const std::int32_t* rank = nullptr;    ///< (rows, columns)
  const std::int32_t* label = nullptr;   ///< (rows)
  const std::int32_t* sample = nullptr;  ///< (rows): negative where a row is padding
  std::int32_t* done = nullptr;          ///< (rows), written: 1 where the row stays for good, or is padding
  std::int64_t rows = 0, cols = 0, classes = 0, columns = 0;
  float overshoot = 0;
  float lo = 0, hi = 1;  ///< pixel range
};

}  // namespace inocula
