// Random noise of an attack's size: what an attack has to beat.
#pragma once

#include <string>

#include "attacks/parts/norm.h"
#include "engine/perturbation.h"

namespace inocula::attacks {

/// Uniform in the L-infinity or L1 ball, or on the L2 sphere, then clipped to the pixel range; or, of a given
/// similarity, of the size at which each image has it: uniform values for linf, normal ones for l2.
struct NoiseSpec {
  Norm norm = Norm::linf;  ///< linf, l2 or l1; with ssim linf or l2
  double eps = 8.0 / 255;  ///< radius, in units of the pixel range [0, 1]; linf at most 1; with ssim infinite
  double ssim = 0;         ///< above 0 and below 1, as kernels/ssim.h has it; 0: eps says the size
};

class RandomNoise final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit RandomNoise(const NoiseSpec& spec);

  VictimUse use() const override { return VictimUse::none; }
  Bound bound() const override { return {distance_of(spec_.norm), spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  void record_similar(Recorder& r, const PerturbationPorts& ports, const Tensor& x) const;

  NoiseSpec spec_;
};

}  // namespace inocula::attacks
