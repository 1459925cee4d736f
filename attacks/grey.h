// Attacks on grey images that a network sees in several equal channels: one difference for all of them.
#pragma once

#include "engine/perturbation.h"

namespace inocula::attacks {

/// Records an image's first channel, (N, 1, H, W).
Tensor record_first_channel(Recorder& r, const Tensor& images);
/// Records the image (N, 1, H, W) in so many equal channels.
Tensor record_stacked(Recorder& r, const Tensor& grey, std::int64_t channels);

/// A victim that is shown grey images; a pixel's gradient is the sum of its channels'.
class GreyVictim final : public Victim {
 public:
  /// All must outlive this; `channels`: of the victim's images.
  GreyVictim(Recorder& recorder, Victim& victim, std::int64_t channels)
      : recorder_(recorder), victim_(victim), channels_(channels) {}

  std::int64_t classes() const override { return victim_.classes(); }
  Tensor logits(const Tensor& grey) override {
    return victim_.logits(record_stacked(recorder_, grey, channels_));
  }
  Query query(const Tensor& grey) override {
    return victim_.query(record_stacked(recorder_, grey, channels_));
  }
  Tensor gradient(const Query& query, const Tensor& dlogits) override;

 private:
  Recorder& recorder_;
  Victim& victim_;
  std::int64_t channels_;
};

}  // namespace inocula::attacks
