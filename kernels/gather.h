// A batch from the data set in memory: pick images, scale bytes to [0, 1], augment.
#pragma once

#include <cstdint>

#include "kernels/step_state.h"

namespace inocula {

/// gather: x[n] = image[index[n]] / 255, channels first; flipped left to right with probability 1/2 where
/// `flip` is set, then shifted by up to `shift` pixels each way with zeros moving in (a random crop of the
/// padded image) where it is positive. A negative index gives a black image whose labels are 0.
///
/// Both are functions of (seed, batch, image) through draw4(seed, Draw::augment, 0, batch, image, 0), so that
/// a batch that is used in several steps is the same in all of them: bit 31 of word 0 flips, words 1 and 2
/// are the shifts down and to the right, uniform_below(2 shift + 1) - shift.
struct Gather {
  const std::uint8_t* images = nullptr;      ///< (all, height, width, channels)
  const std::int32_t* all_labels = nullptr;  ///< (all, label_columns)
  const std::int32_t* index = nullptr;       ///< (rows)
  const StepState* state = nullptr;
  float* x = nullptr;             ///< (rows, channels, height, width)
  std::int32_t* label = nullptr;  ///< (rows, label_columns)
  std::int64_t rows = 0, channels = 0, height = 0, width = 0;
  std::int64_t label_columns = 1;
  std::int32_t flip = 0;
  std::int32_t shift = 0;
};

/// mask_padding: the labels of each real row, -1 where the index is negative.
struct MaskPadding {
  const std::int32_t* label = nullptr;  ///< (rows, columns)
  const std::int32_t* index = nullptr;  ///< (rows)
  std::int32_t* masked = nullptr;       ///< (rows, columns)
  std::int64_t rows = 0, columns = 1;
};

}  // namespace inocula
