// Losses of differences between logits: the margin, and its ratio to the spread of the logits.
#pragma once

#include <cstdint>

namespace inocula {

/// What DLR adds to its denominator, so that equal logits do not divide by zero.
inline constexpr double kDlrFloor = 1e-12;

/// Both are raised by an attack, positive exactly where the label is not the answer (or the target is ahead
/// of it), and computed in double. y is the label, o the target where there is one, else the likeliest class
/// other than y; z_(1) >= z_(2) >= … are the logits in order, the lowest index first among equals.
///
/// margin_loss: z_o - z_y.
/// dlr_loss:    (z_o - z_y) / (z_(1) - z_(3) + 1e-12), at least 3 classes; with a target
///              (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2 + 1e-12), at least 4 classes. The denominator is
///              differentiated too. Croce, Hein, "Reliable evaluation of adversarial robustness with an
///              ensemble of diverse parameter-free attacks", ICML 2020.
/// A NaN logit that takes part makes its row's loss and gradient NaN. Every output may be null.
struct MarginLoss {
  const float* logits = nullptr;         ///< (rows, classes)
  const std::int32_t* label = nullptr;   ///< (rows), each in [0, classes)
  const std::int32_t* target = nullptr;  ///< (rows), each in [0, classes) and not the label; or null
  float* dlogits = nullptr;              ///< (rows, classes): of the loss summed over the rows
  float* loss = nullptr;                 ///< (rows)
  std::int32_t* predicted = nullptr;     ///< (rows): arg max, the lowest index among equals
  std::int64_t rows = 0, classes = 0;
};

}  // namespace inocula
