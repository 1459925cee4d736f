// A training method: what is recorded between a batch of images and the gradients of the parameters.
#pragma once

#include <cstdint>
#include <string>

#include "engine/network.h"
#include "engine/recorder.h"

namespace inocula {

struct TrainingPorts {
  Tensor images;  ///< plain (N, C, H, W) in [0, 1]
  Tensor label;   ///< (N) i32
  Tensor sample;  ///< (N) i32
  Tensor state;   ///< StepState
};

/// What a step reports of its batch, for the epoch's tally.
struct TrainingResult {
  Tensor loss;       ///< (N)
  Tensor predicted;  ///< (N) i32
};

class Objective {
 public:
  virtual ~Objective() = default;

  /// "standard", "pgd", …
  virtual std::string name() const = 0;
  /// Records the step; gradients are added to the network's gradient buffer, which is zero before.
  virtual TrainingResult record(Recorder& r, Network& network, const TrainingPorts& ports) const = 0;
  /// How many batches update the running statistics in one step.
  virtual std::int64_t statistics_updates() const { return 1; }
};

}  // namespace inocula
