// Losses of attacks from those of logits.
#include "attacks/parts/attack_loss.h"

#include "engine/error.h"
#include "engine/loss.h"

namespace inocula::attacks {

namespace {

LossTensors record_of_logits(Recorder& r, const Tensor& logits, const Aim& aim, LossGradientWanted wanted) {
  if (aim.label && aim.label.shape.c > 1 && aim.loss != AttackLoss::cross_entropy)
    fail(ErrorKind::usage, "the attack's loss compares classes, and there are ", aim.label.shape.c,
         " labels an image; expected loss=ce");
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
  return record_label_loss(r, logits, aim.label, 1.0f, wanted);
}

}  // namespace

void check_loss(AttackLoss loss, bool targeted, std::int64_t classes, const std::string& attack) {
  if (loss != AttackLoss::margin && loss != AttackLoss::dlr) return;
  const Margin margin = loss == AttackLoss::dlr ? Margin::ratio : Margin::difference;
  const std::int64_t least = least_classes(margin, targeted);
  if (classes < least)
    fail(ErrorKind::usage, attack, ": ", loss == AttackLoss::dlr ? "DLR" : "the margin",
         targeted ? " with a target" : "", " compares the ", least, " largest logits, and there are ",
         classes, " classes; expected ",
         loss == AttackLoss::margin ? "loss=ce"
         : attack == "apgd-dlr"     ? "apgd-t, which then climbs the margin"
         : attack == "autoattack"   ? "aa-k, its form for any number of them"
                                    : "loss=margin");
}

LossGradient record_loss_gradient(Recorder& r, Victim& victim, const Tensor& images, const Aim& aim) {
  const Query query = victim.query(images);
  const LossTensors loss = record_of_logits(r, query.logits, aim, LossGradientWanted::yes);
  return {victim.gradient(query, loss.dlogits), loss.loss, loss.predicted};
}

LossGradient record_loss(Recorder& r, Victim& victim, const Tensor& images, const Aim& aim) {
  const LossTensors loss = record_of_logits(r, victim.logits(images), aim, LossGradientWanted::no);
  return {{}, loss.loss, loss.predicted};
}

Judged record_judge(Recorder& r, const PerturbationPorts& ports, const Tensor& target, bool descends,
                    const LossGradient& found) {
  const std::int64_t rows = ports.images.shape.n;
  if (ports.label.shape.c > 1)
    fail(ErrorKind::usage, "the attack keeps its best images by one answer each, and there are ",
         ports.label.shape.c, " labels an image; expected keep=last and restarts=1");
  const Judged judged{r.make("candidate score", {rows, 1, 1, 1}),
                      r.make("candidate hit", {rows, 1, 1, 1}, DType::i32)};
  r.kernel("attack.judge", r.kernels().judge, [=, label = ports.label](Access& at) {
    return Judge{at.in(found.loss),
                 at.in<std::int32_t>(found.predicted),
                 at.in<std::int32_t>(label),
                 at.in<std::int32_t>(target),
                 at.out(judged.score),
                 at.out<std::int32_t>(judged.hit),
                 rows,
                 descends ? 1 : 0};
  });
  return judged;
}

Tensor record_hits(Recorder& r, const PerturbationPorts& ports, const Tensor& target,
                   const LossGradient& found) {
  return record_judge(r, ports, target, false, found).hit;
}

}  // namespace inocula::attacks
