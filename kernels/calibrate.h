// Confidence histograms and running counts in integers: the same whatever the order of the samples.
#pragma once

#include <cstdint>

namespace inocula {

inline constexpr int kMaxCalibrationBins = 64;

/// One bin of a reliability diagram.
struct CalibrationBin {
  std::uint64_t count = 0;
  std::uint64_t correct = 0;
  std::uint64_t confidence = 0;  ///< sum of confidences in units of 2^-32
};

/// bin_confidence: adds each row's top-label confidence to its bin of `bins` equal widths on [0, 1], closed
/// on the right: a confidence of exactly b / bins belongs to the bin below it (Guo et al., ICML 2017).
/// A row whose softmax is NaN counts in the lowest bin, as wrong and with confidence 0.
struct BinConfidence {
  const float* logits = nullptr;        ///< (rows, classes)
  const std::int32_t* label = nullptr;  ///< (rows); a negative label skips the row
  CalibrationBin* bin = nullptr;        ///< (bins), accumulated
  std::int64_t rows = 0, classes = 0;
  std::int32_t bins = 15;
};

/// What a training epoch counts.
struct TrainingTally {
  double loss = 0;  ///< sum over samples
  std::uint64_t correct = 0;
  std::uint64_t seen = 0;  ///< decisions
};

/// tally: adds a batch's losses (by the fixed tree) and hits to the epoch's. What counts as seen and as hit
/// are decisions: one an image, or one for each of its labels.
struct Tally {
  const float* loss = nullptr;              ///< (rows)
  const std::int32_t* predicted = nullptr;  ///< (rows, columns)
  const std::int32_t* label = nullptr;      ///< (rows, columns)
  TrainingTally* tally = nullptr;
  std::int64_t rows = 0, columns = 1;
};

}  // namespace inocula
