// A network as a victim.
#include "engine/victim.h"

#include "engine/loss.h"

namespace inocula {

namespace {

LossTensors record_loss(Recorder& r, const Tensor& logits, const Aim& aim, LossGradientWanted wanted) {
  if (aim.reference) return record_kl_divergence(r, aim.reference, logits, wanted);
  return record_softmax_ce(r, logits, aim.label, 1.0f, wanted);
}

}  // namespace

Tensor NetworkVictim::logits(const Tensor& images) {
  return recording_.forward(images).logits;
}

LossGradient NetworkVictim::loss_gradient(const Tensor& images, const Aim& aim) {
  ForwardTrace trace = recording_.forward(images);
  const LossTensors loss = record_loss(recording_.recorder(), trace.logits, aim, LossGradientWanted::yes);
  return {recording_.backward(trace, loss.dlogits), loss.loss, loss.predicted};
}

LossGradient NetworkVictim::loss(const Tensor& images, const Aim& aim) {
  const LossTensors loss =
      record_loss(recording_.recorder(), recording_.forward(images).logits, aim, LossGradientWanted::no);
  return {{}, loss.loss, loss.predicted};
}

}  // namespace inocula
