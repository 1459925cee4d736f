// What every attack has to keep to beside its own ball: where, how far, alike in all channels, in grey
// levels.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/device.h"
#include "engine/perturbation.h"
#include "engine/source.h"

namespace inocula::attacks {

enum class Channels {
  own,   ///< each channel of a pixel changes by itself
  same,  ///< all by the same: a grey image, stacked
};

struct Constraints {
  /// (images, height, width) by the split's images, or (height, width) for all: not 0 where a pixel may
  /// change. Empty: everywhere.
  std::vector<std::uint8_t> region = {};
  /// By the split's images, 0 or more: what an attack's radius and steps are multiplied by. Empty: 1.
  std::vector<float> eps_scale = {};
  Channels channels = Channels::own;
  /// 8 or 16: results are brought to multiples of 1 / (2^bits - 1), as kernels/requantise.h says, before the
  /// network judges them. 0: any float.
  int bits = 0;

  /// Whether an unlimited radius still leads from every image to every other.
  bool reach_every_image() const { return region.empty() && eps_scale.empty() && channels == Channels::own; }
};

/// Throws Error (usage) for bits other than 0, 8 and 16; bad_data where what is given is not of the split's
/// size, a factor is negative or not finite, or, with Channels::same, an image has unequal channels.
void check_constraints(const Constraints& constraints, const ImageSplit& split);

/// Constraints in device memory, and perturbations that keep to them.
class ResidentConstraints {
 public:
  /// Errors: as check_constraints.
  ResidentConstraints(const Device& device, const ImageSplit& split, const Constraints& constraints);

  /// Records the perturbation: around ports.images, of which ports.sample holds the split's numbers. A
  /// wrapped victim asks for no more passes than the perturbation does.
  Tensor record(Recorder& r, Victim& victim, const Perturbation& perturbation,
                const PerturbationPorts& ports) const;

 private:
  Tensor record_eps_scale(Recorder& r, const PerturbationPorts& ports, float share) const;
  void record_levels(Recorder& r, const Bound& bound, const PerturbationPorts& ports, const Tensor& x) const;

  Channels channels_;
  float levels_;  ///< 0: any float
  std::int64_t count_, masks_, factors_, height_, width_;
  Buffer region_, eps_scale_;
};

}  // namespace inocula::attacks
