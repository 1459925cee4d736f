// Adversarial training: minimise the loss at the worst images that an inner perturbation finds.
#pragma once

#include <cstdint>
#include <string>

#include "engine/norm_mode.h"
#include "engine/objective.h"
#include "engine/perturbation.h"

namespace inocula {

/// min over theta of E CE(f(x + delta), y), delta by the inner attack on the current weights. Madry et al.,
/// ICLR 2018. The attack sees frozen statistics unless `attack_norm` says otherwise (Fast-AT and Free-AT
/// attack in training mode); the outer forward is in training mode. There is no clean term.
class AdversarialTraining final : public Objective {
 public:
  /// `attack` must outlive this. `attack_forwards`: forward passes that the attack records, for the running
  /// statistics' counter when it updates them.
  AdversarialTraining(std::string name, const Perturbation& attack, NormMode attack_norm,
                      std::int64_t attack_forwards);

  std::string name() const override { return name_; }
  TrainingResult record(Recorder& r, Network& network, const TrainingPorts& ports) const override;
  std::int64_t statistics_updates() const override;

 private:
  std::string name_;
  const Perturbation& attack_;
  NormMode attack_norm_;
  std::int64_t attack_forwards_;
};

}  // namespace inocula
