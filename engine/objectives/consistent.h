// Training for answers that agree: cross-entropy of the clean images, and the divergence of several views.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/objective.h"
#include "engine/perturbation.h"

namespace inocula {

/// Whether the views of a batch pass the network together, and share the statistics of batch norm, or one
/// after another, each with its own.
enum class ViewPasses { together, one_by_one };

/// How far the answers to the views lie apart (kernels/consistency.h).
enum class Divergence {
  jensen_shannon,
  kullback_leibler,  ///< of one view's answers from the images' own
};

/// min over theta of E CE(f(x), y) + weight D(f(x), f(v_1(x)), …, f(v_n(x))). With D = JSD and two augmented
/// views, passed together, this is AugMix (Hendrycks et al., ICLR 2020); with one augmented and one
/// adversarial view RobustAugMix (Martínez-Martínez, Nabavi, IEEE CAI 2023), whose authors pass the three one
/// by one. With D = KL(f(x) || f(v_1(x))) and the view that climbs it, it is TRADES (Zhang et al., ICML
/// 2019). D's gradient reaches the answers to all views. A view that attacks sees the clean images, their
/// labels and frozen statistics.
class ConsistentTraining final : public Objective {
 public:
  /// `views` must outlive this; 1 to kMostViews - 1 of them, for the Kullback-Leibler divergence 1. `weight`:
  /// of the divergence, 0 or more. Throws Error (usage), record too: where images have several labels.
  ConsistentTraining(std::string name, std::vector<const Perturbation*> views, double weight,
                     ViewPasses passes, Divergence divergence = Divergence::jensen_shannon);

  std::string name() const override { return name_; }
  TrainingResult record(Recorder& r, Network& network, const TrainingPorts& ports) const override;
  std::int64_t statistics_updates() const override;

 private:
  std::int64_t view_count() const { return static_cast<std::int64_t>(views_.size()) + 1; }

  std::string name_;
  std::vector<const Perturbation*> views_;  ///< beside the images as they are
  double weight_;
  ViewPasses passes_;
  Divergence divergence_;
};

}  // namespace inocula
