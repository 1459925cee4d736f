// Attack first, then the ordinary step on what it found.
#include "engine/objectives/adversarial.h"

#include <utility>

#include "engine/objectives/erm.h"
#include "engine/victim.h"

namespace inocula {

AdversarialTraining::AdversarialTraining(std::string name, const Perturbation& attack, NormMode attack_norm,
                                         std::int64_t attack_forwards)
    : name_(std::move(name)), attack_(attack), attack_norm_(attack_norm), attack_forwards_(attack_forwards) {}

TrainingResult AdversarialTraining::record(Recorder& r, Network& network, const TrainingPorts& ports) const {
  TrainingPorts worst = ports;
  {
    NetworkVictim victim(r, network, ports.images.shape.n, attack_norm_, VictimUse::gradients);
    worst.images = attack_.record(r, victim, {ports.images, ports.label, ports.sample, ports.state, {}, {}});
  }
  return Erm{}.record(r, network, worst);
}

std::int64_t AdversarialTraining::statistics_updates() const {
  return 1 + (attack_norm_ == NormMode::batch ? attack_forwards_ : 0);
}

}  // namespace inocula
