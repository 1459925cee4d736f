// Projected gradient descent and its relatives, from the fast gradient sign method on.
#pragma once

#include <string>

#include "attacks/pgd_spec.h"
#include "engine/perturbation.h"

namespace inocula::attacks {

class Pgd final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit Pgd(const PgdSpec& spec, std::string name = "pgd");

  const PgdSpec& pgd() const { return spec_; }
  Bound bound() const override { return {distance_of(spec_.norm), spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  /// No tensor without momentum.
  Tensor record_momentum(Recorder& r, const Shape& images) const;
  void record_step(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient,
                   const Tensor& momentum, const Tensor& x) const;
  /// Whether the loss is that against the target, which falls as the attack succeeds.
  bool descends() const;

  PgdSpec spec_;
  std::string name_;
};

}  // namespace inocula::attacks
