// One perturbation after another: what the first makes is what the second finds.
#pragma once

#include <algorithm>
#include <string>

#include "engine/perturbation.h"

namespace inocula::attacks {

/// An attack around augmented images, for one: its ball is about what `first` made.
class Sequence final : public Perturbation {
 public:
  /// Both must outlive this.
  Sequence(const Perturbation& first, const Perturbation& second) : first_(first), second_(second) {}

  VictimUse use() const override { return std::max(first_.use(), second_.use()); }
  std::string spec() const override { return first_.spec() + " then " + second_.spec(); }
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override {
    PerturbationPorts next = ports;
    next.images = first_.record(r, victim, ports);
    return second_.record(r, victim, next);
  }

 private:
  const Perturbation& first_;
  const Perturbation& second_;
};

}  // namespace inocula::attacks
