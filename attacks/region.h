// Attacks on a part of the pixels: the network sees the clean image elsewhere, and no gradient comes from
// there.
#pragma once

#include "engine/perturbation.h"

namespace inocula::attacks {

/// What a kernel is to know of the ports' region.
Region region_of(Access& at, const PerturbationPorts& ports);
/// Records x <- clean + m (x - clean), m the ports' region; nothing where there is none.
void record_in_region(Recorder& r, const PerturbationPorts& ports, const Tensor& x);

/// A victim that sees clean + m (x - clean), so that its gradients are m times the network's: attacks that
/// know nothing of a region keep to it.
class RegionVictim final : public Victim {
 public:
  /// `ports` has a region. All must outlive this.
  RegionVictim(Recorder& recorder, Victim& victim, const PerturbationPorts& ports)
      : recorder_(recorder), victim_(victim), ports_(ports) {}

  std::int64_t classes() const override { return victim_.classes(); }
  Tensor logits(const Tensor& images) override { return victim_.logits(seen(images)); }
  Query query(const Tensor& images) override { return victim_.query(seen(images)); }
  Tensor gradient(const Query& query, const Tensor& dlogits) override;

 private:
  Tensor seen(const Tensor& images);

  Recorder& recorder_;
  Victim& victim_;
  const PerturbationPorts& ports_;
};

}  // namespace inocula::attacks
