// What changes images inside a Program: attacks and corruptions implement it, training and evaluation use it.
#pragma once

#include <limits>
#include <string>

#include "engine/recorder.h"
#include "engine/victim.h"
#include "kernels/nearest.h"

namespace inocula {

/// What a perturbation is given. All images are plain fp32 (N, C, H, W) in [0, 1].
struct PerturbationPorts {
  Tensor images;
  Tensor label;  ///< (N) i32; in training on several labels an image (N, L)
  Tensor
      sample;  ///< (N) i32: index in the data set, names the random numbers; negative where a row is padding
  Tensor state;           ///< StepState
  Tensor zero_gradients;  ///< (N) uint64, counted up: gradients that were zero everywhere; may be missing
  Tensor
      all_gradients;    ///< (N) uint64, counted up: gradients in all; missing exactly where zero_gradients is
  Tensor restart = {};  ///< (N) i32: number of each row's random draws, added to the state's; may be missing
  Tensor eps_scale = {};  ///< (N): factors of each row's radius and steps; missing: 1
  /// Bytes (images or 1, 1, H, W), by the image's number: not 0 where a pixel may change. Missing:
  /// everywhere.
  Tensor region = {};
};

/// Where a perturbation's results lie about the image.
struct Bound {
  Distance norm = Distance::linf;
  double radius = std::numeric_limits<double>::infinity();
};

class Perturbation {
 public:
  virtual ~Perturbation() = default;

  /// What it asks of the victim.
  virtual VictimUse use() const { return VictimUse::gradients; }
  /// What all its results keep to; of infinite radius where they may lie anywhere.
  virtual Bound bound() const { return {}; }
  /// Canonical form: parsing it gives the same perturbation.
  virtual std::string spec() const = 0;
  /// Records the perturbation; the answer is a tensor of its own or the images themselves.
  virtual Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const = 0;
};

}  // namespace inocula
