// DeepFool: step by step onto the nearest boundary of the linearised network.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "attacks/parts/norm.h"
#include "engine/perturbation.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// Moosavi-Dezfooli et al., CVPR 2016. From the class k0 that the network gives the clean image, each step
/// linearises the logits at the current image, goes to the nearest of the boundaries between k0 and its
/// competitors, and adds to r; the image is box(clean + (1 + overshoot) r), at which the next step
/// linearises: as in the authors' published code, where the paper's listing puts the overshoot on the last
/// image alone. A sample stops at its first image of another answer that is ahead by kLogitLead
/// (kernels/deepfool.h; foolbox adds 1e-4 to each difference of logits to the same end, whatever their
/// scale), or else after `steps` at whatever answer it has there; it stays clean where that is its label,
/// where it was wrong to begin with, or where that image lies beyond eps. Competitors are the likeliest
/// classes of the clean image. Each step takes one forward pass and a backward pass for each of them.
struct DeepFoolSpec {
  Norm norm = Norm::l2;                                  ///< l2 or linf
  double eps = std::numeric_limits<double>::infinity();  ///< 0 or more
  std::int64_t steps = 50;                               ///< at least 1
  double overshoot = 0.02;                               ///< above 0: at 0 images end on the boundary
  /// At least 2: k0 and so many others less one; no more are taken than the network has.
  std::int64_t classes = 10;
};

/// Throws Error (usage) naming the spec and the key.
DeepFoolSpec parse_deepfool_spec(const Spec& s, double eps);

class DeepFool final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit DeepFool(const DeepFoolSpec& spec);

  Bound bound() const override { return {distance_of(spec_.norm), spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  DeepFoolSpec spec_;
};

}  // namespace inocula::attacks
