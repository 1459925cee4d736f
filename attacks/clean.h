// No attack at all: the images as they are, so that clean scores take the same path as attacked ones.
#pragma once

#include <string>

#include "engine/perturbation.h"

namespace inocula::attacks {

class Clean final : public Perturbation {
 public:
  VictimUse use() const override { return VictimUse::none; }
  std::string spec() const override { return "clean"; }
  Tensor record(Recorder&, Victim&, const PerturbationPorts& ports) const override { return ports.images; }
};

}  // namespace inocula::attacks
