// The saliency map attack: few values, changed a lot.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "attacks/parts/norm.h"
#include "attacks/parts/target.h"
#include "engine/perturbation.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// Papernot et al., IEEE EuroS&P 2016. Each step changes by theta the two values that raise the target's
/// logit most and lower the sum of the others' (kernels/saliency.h), until the target is the answer, the next
/// pair would bring the values that differ above a share gamma of all, or no pair is left. A value may change
/// several times, until it is black or white. Kept are the images whose answer is the target, with at most
/// eps values changed; the others stay clean.
struct JsmaSpec {
  static constexpr Norm norm = Norm::l0;
  static constexpr std::int64_t steps = 1;  ///< for reports: how many there are depends on the image's size
  double eps = std::numeric_limits<double>::infinity();  ///< values that may change, 0 or more
  double theta = 1;      ///< change of a value, 0.001 to 1 or -1 to -0.001: negative darkens
  double gamma = 0.145;  ///< above 0, at most 1
  Target target = {.targeted = true, .rule = TargetRule::likely, .given = 1};  ///< always one
  bool pairs = true;  ///< rather than one value at a time, a variant that is not the paper's
};

/// Throws Error (usage) naming the spec and the key.
JsmaSpec parse_jsma_spec(const Spec& s, double eps);

class Jsma final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit Jsma(const JsmaSpec& spec);

  Bound bound() const override { return {Distance::l0, spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

  /// Steps after which no image of so many values can change any more.
  std::int64_t most_steps(std::int64_t values) const;

 private:
  /// How many values of an image may differ.
  std::int64_t most_changed(std::int64_t values) const;

  JsmaSpec spec_;
};

}  // namespace inocula::attacks
