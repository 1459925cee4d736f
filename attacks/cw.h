// The attack of Carlini and Wagner in L2: the nearest image by penalised minimisation.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "attacks/parts/norm.h"
#include "attacks/parts/target.h"
#include "engine/perturbation.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// Carlini, Wagner, IEEE S&P 2017: minimises ||x' - x||_2^2 + c max(-margin, -confidence) over w by Adam, x'
/// = (tanh w + 1) / 2, and searches for each sample the c with which that succeeds at the least distance. The
/// margin is the likeliest other logit less the label's, or the target's less the likeliest other. Kept is
/// the nearest image of all rounds with a margin of at least `confidence`, the clean one included; a sample
/// stays clean where there is none within eps.
struct CwSpec {
  static constexpr Norm norm = Norm::l2;
  double eps = std::numeric_limits<double>::infinity();  ///< 0 or more
  std::int64_t steps = 1000;                             ///< of a round, at least 1
  std::int64_t search = 9;                               ///< rounds, at least 1
  double c = 1e-3;                                       ///< of the first round, above 0
  double confidence = 0;                                 ///< 0 or more, in units of the logits
  double lr = 0.01;                                      ///< Adam's rate, above 0
  /// Whether a sample's round ends where a tenth of its steps brought nothing (kernels/carlini_wagner.h).
  bool abort_early = true;
  Target target = {};
};

/// Throws Error (usage) naming the spec and the key.
CwSpec parse_cw_spec(const Spec& s, double eps);

class Cw final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit Cw(const CwSpec& spec);

  Bound bound() const override { return {Distance::l2, spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  CwSpec spec_;
};

}  // namespace inocula::attacks
