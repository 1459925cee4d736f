// Losses of attacks from those of logits.
#include "attacks/attack_loss.h"

#include "engine/loss.h"

namespace inocula::attacks {

namespace {

LossTensors record_of_logits(Recorder& r, const Tensor& logits, const Aim& aim, LossGradientWanted wanted) {
  switch (aim.loss) {
    case AttackLoss::divergence:
      return record_kl_divergence(r, aim.reference, logits, wanted);
    case AttackLoss::margin:
      return record_margin(r, Margin::difference, logits, aim.label, aim.target, wanted);
    case AttackLoss::dlr:
      return record_margin(r, Margin::ratio, logits, aim.label, aim.target, wanted);
    case AttackLoss::cross_entropy:
      break;
  }
  return record_softmax_ce(r, logits, aim.label, 1.0f, wanted);
}

}  // namespace

LossGradient record_loss_gradient(Recorder& r, Victim& victim, const Tensor& images, const Aim& aim) {
  const Query query = victim.query(images);
  const LossTensors loss = record_of_logits(r, query.logits, aim, LossGradientWanted::yes);
  return {victim.gradient(query, loss.dlogits), loss.loss, loss.predicted};
}

LossGradient record_loss(Recorder& r, Victim& victim, const Tensor& images, const Aim& aim) {
  const LossTensors loss = record_of_logits(r, victim.logits(images), aim, LossGradientWanted::no);
  return {{}, loss.loss, loss.predicted};
}

void record_zero_gradients(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient,
                           const Tensor& done) {
  if (!ports.zero_gradients) return;
  const std::int64_t rows = gradient.shape.n, cols = gradient.shape.per_sample();
  r.kernel("attack.count_zero_gradients", r.kernels().count_zero_gradients, [=](Access& at) {
    CountZeroGradients a;
    a.gradient = at.in(gradient);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.done = at.in<std::int32_t>(done);
    a.zeros = at.inout<std::uint64_t>(ports.zero_gradients);
    a.total = at.inout<std::uint64_t>(ports.all_gradients);
    a.rows = rows;
    a.cols = cols;
    return a;
  });
}

Tensor record_misclassified(Recorder& r, const PerturbationPorts& ports, const LossGradient& found) {
  const std::int64_t rows = ports.images.shape.n;
  const Tensor score = r.make("score", {rows, 1, 1, 1});
  const Tensor hit = r.make("misclassified", {rows, 1, 1, 1}, DType::i32);
  r.kernel("attack.judge", r.kernels().judge, [=, label = ports.label](Access& at) {
    Judge a;
    a.loss = at.in(found.loss);
    a.predicted = at.in<std::int32_t>(found.predicted);
    a.label = at.in<std::int32_t>(label);
    a.score = at.out(score);
    a.hit = at.out<std::int32_t>(hit);
    a.rows = rows;
    return a;
  });
  return hit;
}

}  // namespace inocula::attacks
