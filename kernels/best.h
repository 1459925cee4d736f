// Keeping, per sample, the adversarial candidate that serves the attack best so far.
#pragma once

#include <cstdint>

namespace inocula {

/// keep_best: a row replaces the kept one if it is better: it hits where the kept one does not, or they agree
/// in that and its score is strictly higher. `hit` null compares scores alone. A NaN score never replaces.
struct KeepBest {
  const float* x = nullptr;           ///< (rows, cols) candidates
  const float* score = nullptr;       ///< (rows): the loss that the attack raises
  const std::int32_t* hit = nullptr;  ///< (rows): 1 where the candidate reaches the attack's aim; may be null
  float* best_x = nullptr;            ///< (rows, cols)
  float* best_score = nullptr;        ///< (rows); -infinity before the first candidate
  std::int32_t* best_hit = nullptr;   ///< (rows); null exactly where `hit` is
  std::int64_t rows = 0, cols = 0;
};

}  // namespace inocula
