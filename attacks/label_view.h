// One label of a network of several, as a victim of two classes: what every attack can be run against.
#pragma once

#include "engine/victim.h"

namespace inocula::attacks {

/// Records the logits of labels first … first + count - 1 as pairs (0, z): (N, 2 count).
Tensor record_label_logits(Recorder& r, const Tensor& logits, std::int64_t first, std::int64_t count);

/// Class 1 of a label is that it is there. Its logits are (0, z), whose softmax is (1 - sigmoid(z),
/// sigmoid(z)): cross-entropy, margin, boundaries and logit gaps are those of the binary decision, so that an
/// attack of two classes is an attack on this label alone, and free to change the others.
class LabelView final : public Victim {
 public:
  /// `victim` must outlive this, and find what its gradients need by a query's trace.
  LabelView(Recorder& recorder, Victim& victim, std::int64_t label)
      : recorder_(recorder), victim_(victim), label_(label) {}

  std::int64_t classes() const override { return 2; }
  Tensor logits(const Tensor& images) override;
  Query query(const Tensor& images) override;
  Tensor gradient(const Query& query, const Tensor& dlogits) override;

 private:
  Recorder& recorder_;
  Victim& victim_;
  std::int64_t label_;
};

}  // namespace inocula::attacks
