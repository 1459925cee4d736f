// AugMix as a perturbation: a view of images mixed with chains of operations on themselves.
#pragma once

#include <cstdint>
#include <string>

#include "engine/perturbation.h"
#include "kernels/augmix.h"

namespace inocula::attacks {

/// As the paper's authors train on CIFAR.
struct AugMixSpec {
  double severity = 3;      ///< 0.1 to 10: the most that an operation's level can be
  std::int64_t chains = 3;  ///< 1 to kMostChains
  std::int64_t depth =
      -1;            ///< operations in a chain, 1 to kMostDepth, or -1: 1, 2 or 3 alike, chain by chain
  double alpha = 1;  ///< 0.001 to 1000, of Dirichlet and Beta
  ImageOpSet ops = ImageOpSet::standard;
  std::int64_t view = 0;  ///< which of several independent mixtures of an image: 0 to 2^24 - 1
};

/// "augmix:severity=3,chains=3,depth=-1,alpha=1,ops=standard|all|flips,view=0"; every key may be left out.
/// Throws Error (usage) naming the spec, the key and what was expected.
AugMixSpec parse_augmix(const std::string& spec);

/// One view of images as AugMix mixes them. It asks nothing of the victim.
class AugMixView final : public Perturbation {
 public:
  /// Throws Error (usage) where a value is out of range.
  explicit AugMixView(const AugMixSpec& spec);

  VictimUse use() const override { return VictimUse::none; }
  std::string spec() const override;
  /// Throws Error (usage) where ops is `all` and images have other than one or three channels.
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  AugMixSpec spec_;
};

}  // namespace inocula::attacks
