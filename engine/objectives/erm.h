// Empirical risk minimisation: the mean loss of the images as they are against their labels.
#pragma once

#include "engine/objective.h"

namespace inocula {

class Erm final : public Objective {
 public:
  std::string name() const override { return "standard"; }
  TrainingResult record(Recorder& r, Network& network, const TrainingPorts& ports) const override;
};

}  // namespace inocula
