// FAB and its targeted form: the nearest adversarial image, by steps from boundary to boundary.
#pragma once

#include <cstdint>
#include <string>

#include "attacks/parts/norm.h"
#include "attacks/parts/target.h"
#include "engine/perturbation.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// Croce, Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML 2020,
/// with AutoAttack's numbers; kernels/fab.h says what a step does. A step is two forward passes and one
/// backward pass, or, without a target, one for each class but the label: fab costs about (K - 1) times what
/// fab-t does. The target only says which boundary is walked along: any image that is not taken for its label
/// counts. The first run starts at the image, others (StepState::restart above 0) half a radius away.
struct FabSpec {
  Norm norm = Norm::linf;  ///< linf, l2 or l1
  double eps = 8.0 / 255;  ///< radius within which an image counts; infinite: the nearest found, however far
  std::int64_t steps = 100;  ///< at least 1
  double alpha_max = 0.1;    ///< largest share of the step that leads from the clean image; in [0, 1]
  double eta = 1.05;         ///< how far beyond the boundary steps go, in their lengths; at least 1
  double beta = 0.9;         ///< how far an adversarial image stays away when it goes back; in (0, 1]
  Target target = {};        ///< whose boundary is taken; none: that which is nearest
  /// More than one walks along the boundaries of so many of the likeliest other classes in turn, in place of
  /// `target`'s, and as often as `restarts` says: the nearest image of all is kept.
  std::int64_t targets = 1, restarts = 1;
};

/// Of fab and fab-t, which has a target: without one in its spec the likeliest other class. Throws Error
/// (usage) naming the spec and the key.
FabSpec parse_fab_spec(const Spec& s, double eps);
/// Without an eps in the spec: 8/255, in L2 1, in L1 12 as in AutoAttack.
double usual_fab_eps(const Spec& s);

class Fab final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit Fab(const FabSpec& spec);

  Bound bound() const override { return {distance_of(spec_.norm), spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  FabSpec spec_;
};

}  // namespace inocula::attacks
