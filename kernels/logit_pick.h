// Choosing logits, so that gradients can be asked of single ones and of their differences.
#pragma once

#include <cstdint>

namespace inocula {

/// rank_classes: the likeliest classes of each row in falling order of their logits, the lowest index first
/// among equals; NaN comes last.
struct RankClasses {
  const float* logits = nullptr;  ///< (rows, classes)
  std::int32_t* rank = nullptr;   ///< (rows, count), written
  std::int64_t rows = 0, classes = 0;
  std::int64_t count = 0;  ///< at most `classes`
};

/// pick_logits: what a backward pass starts from whose gradient is that of
/// weight z_i + elsewhere (sum of z_k over the others), less z_j where a column `away` is given; i and j are
/// index[row][toward] and index[row][away], and differ.
struct PickLogits {
  const std::int32_t* index = nullptr;  ///< (rows, columns), each in [0, classes)
  float* dlogits = nullptr;             ///< (rows, classes), written
  std::int64_t rows = 0, classes = 0, columns = 1;
  std::int64_t toward = 0;
  std::int64_t away = -1;  ///< negative: none
  float weight = 1, elsewhere = 0;
};

}  // namespace inocula
