// Auto-PGD, the ascent without a step length to tune.
#pragma once

#include <cstdint>
#include <string>

#include "attacks/parts/attack_loss.h"
#include "attacks/parts/norm.h"
#include "attacks/parts/target.h"
#include "engine/perturbation.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// Croce, Hein, ICML 2020, algorithm 1: steps with momentum from a random start, the first of length 2 eps,
/// whose length each sample halves at checkpoints where it oscillates or is stuck (kernels/apgd.h). What is
/// handed on is the first iterate that is taken for another class than the label, else the one of highest
/// loss. In L1 attacks/apgd_l1.h.
struct ApgdSpec {
  Norm norm = Norm::linf;    ///< linf, l2 or l1
  double eps = 8.0 / 255;    ///< radius, in units of the pixel range [0, 1]; linf at most 1
  std::int64_t steps = 100;  ///< at least 1
  double rho = 0.75;         ///< share of a window's steps that have to raise the loss, 0 to 1; not in L1
  AttackLoss loss = AttackLoss::cross_entropy;  ///< cross_entropy, dlr or margin
  Target target = {};                           ///< of dlr and margin
};

/// Throws Error (usage) naming the field that is out of range.
void check_apgd_spec(const ApgdSpec& spec, const std::string& name);

class Apgd final : public Perturbation {
 public:
  /// `name`: apgd-ce, apgd-dlr or apgd-t. Throws Error (usage) naming the field that is out of range.
  Apgd(const ApgdSpec& spec, std::string name);

  Bound bound() const override { return {distance_of(spec_.norm), spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  ApgdSpec spec_;
  std::string name_;
};

}  // namespace inocula::attacks
