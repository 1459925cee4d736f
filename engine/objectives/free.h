// "Free" adversarial training: each backward pass gives the weights' gradient and the images' at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/objective.h"

namespace inocula {

/// Shafahi et al., "Adversarial training for free!", NeurIPS 2019. Each batch is replayed `replays` times. A
/// replay is one forward and one backward in training mode at clip(x + delta): the weights descend, and
/// delta <- clip(delta + eps sign(g)) to [-eps, eps] climbs along the same pass's gradient g of the images.
/// delta, zero at first, goes on to the next batch, row by row. g is taken at the images that the network
/// saw, as in every attack here: where x + delta lies beyond the pixel range, delta still moves.
class FreeTraining final : public Objective {
 public:
  /// `eps`: radius of the L-infinity ball, in units of the pixel range [0, 1]. Throws Error (usage) naming
  /// what is out of range.
  FreeTraining(double eps, std::int64_t replays);

  std::string name() const override { return "free"; }
  std::int64_t replays() const override { return replays_; }
  std::vector<CarriedArray> carried(const Shape& images) const override { return {{"delta", images}}; }
  TrainingResult record(Recorder& r, Network& network, const TrainingPorts& ports) const override;

 private:
  double eps_;
  std::int64_t replays_;
};

}  // namespace inocula
