// What the batches of an evaluation answered, and who remembers it from one process to the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/program.h"
#include "kernels/calibrate.h"
#include "kernels/measure.h"

namespace inocula::attacks {

/// Of one batch, row by row.
struct BatchAnswers {
  std::vector<float> clean_logits, logits;                   ///< (rows, classes)
  std::vector<PerturbationNorm> norms;                       ///< (rows)
  std::vector<float> images;                                 ///< (rows that are kept, C, H, W)
  std::vector<CalibrationBin> bins;                          ///< (kCalibrationBins)
  std::vector<std::uint64_t> zero_gradients, all_gradients;  ///< (rows)
  PassCount passes;                                          ///< of the batch
};

/// A key names what the answers depend on: perturbation, seeds, rows. What all keys have in common (network,
/// data, constraints, device) is the store's to know.
class AnswerStore {
 public:
  virtual ~AnswerStore() = default;
  /// Whether they are there; `answers` is then replaced.
  virtual bool recall(const std::string& key, BatchAnswers& answers) = 0;
  virtual void keep(const std::string& key, const BatchAnswers& answers) = 0;
};

}  // namespace inocula::attacks
