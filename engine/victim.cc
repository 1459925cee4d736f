// A network as a victim.
#include "engine/victim.h"

#include "engine/loss.h"

namespace inocula {

Tensor NetworkVictim::logits(const Tensor& images) {
  return recording_.forward(images).logits;
}

LossGradient NetworkVictim::loss_gradient(const Tensor& images, const Tensor& aim) {
  ForwardTrace trace = recording_.forward(images);
  const LossTensors loss =
      record_softmax_ce(recording_.recorder(), trace.logits, aim, 1.0f, LossGradientWanted::yes);
  return {recording_.backward(trace, loss.dlogits), loss.loss, loss.predicted};
}

LossGradient NetworkVictim::loss(const Tensor& images, const Tensor& aim) {
  const LossTensors loss = record_softmax_ce(recording_.recorder(), recording_.forward(images).logits, aim,
                                             1.0f, LossGradientWanted::no);
  return {{}, loss.loss, loss.predicted};
}

}  // namespace inocula
