// Random noise of an attack's size: what an attack has to beat.
#pragma once

#include <string>

#include "attacks/norm.h"
#include "engine/perturbation.h"

namespace inocula::attacks {

/// Uniform in the L-infinity ball, or on the L2 sphere, then clipped to the pixel range.
struct NoiseSpec {
  Norm norm = Norm::linf;  ///< linf or l2
  double eps = 8.0 / 255;  ///< radius, in units of the pixel range [0, 1]; linf at most 1
};

class RandomNoise final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit RandomNoise(const NoiseSpec& spec);

  VictimUse use() const override { return VictimUse::none; }
  Ball ball() const override { return {distance_of(spec_.norm), spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  NoiseSpec spec_;
};

}  // namespace inocula::attacks
