// A training method: what is recorded between a batch of images and the gradients of the parameters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/network.h"
#include "engine/recorder.h"

namespace inocula {

/// An array of floats that a method carries from step to step beside the network's numbers; zero at first.
struct CarriedArray {
  std::string name;  ///< in checkpoints
  Shape shape;
};

struct TrainingPorts {
  Tensor images;                     ///< plain (N, C, H, W) in [0, 1]
  Tensor label;                      ///< (N) i32, or (N, L) of several labels an image
  Tensor sample;                     ///< (N) i32
  Tensor state;                      ///< StepState
  std::vector<Tensor> carried = {};  ///< those of Objective::carried
};

/// What a step reports of its batch, for the epoch's tally.
struct TrainingResult {
  Tensor loss;       ///< (N)
  Tensor predicted;  ///< i32, like the labels
};

class Objective {
 public:
  virtual ~Objective() = default;

  /// "standard", "pgd", …
  virtual std::string name() const = 0;
  /// Records the step; gradients are added to the network's gradient buffer, which is zero before.
  virtual TrainingResult record(Recorder& r, Network& network, const TrainingPorts& ports) const = 0;
  /// How many steps in succession are given the same batch.
  virtual std::int64_t replays() const { return 1; }
  /// What a step finds as the step before left it, for a batch of images of that shape. It is part of the
  /// training's state.
  virtual std::vector<CarriedArray> carried(const Shape& /*images*/) const { return {}; }
  /// How many batches update the running statistics in one step.
  virtual std::int64_t statistics_updates() const { return 1; }
};

}  // namespace inocula
