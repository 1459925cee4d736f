// Recording PGD.
#include "attacks/pgd.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "attacks/parts/gradient_count.h"
#include "attacks/parts/project.h"
#include "attacks/parts/start.h"
#include "engine/error.h"
#include "engine/spec.h"
#include "kernels/step_state.h"

namespace inocula::attacks {

namespace {

/// The candidates of highest score so far, per sample.
struct Best {
  Tensor x, score, hit;
};

enum class CompareHits { no, yes };

Best record_best(Recorder& r, const Tensor& images, CompareHits hits, const std::string& name) {
  const std::int64_t rows = images.shape.n;
  Best best{r.make(name + " images", images.shape), r.make(name + " score", {rows, 1, 1, 1}), {}};
  if (hits == CompareHits::yes) best.hit = r.make(name + " hit", {rows, 1, 1, 1}, DType::i32);
  r.copy("attack.copy", images, best.x);
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out(best.score), rows, -std::numeric_limits<float>::infinity()};
  });
  if (best.hit)  // all bits of 0.0f are those of the integer 0
    r.kernel("attack.clear", r.kernels().fill, [=](Access& at) {
      return Fill{at.out(best.hit), rows, 0.0f};
    });
  return best;
}

/// Judges candidates and keeps the better ones.
void record_keep(Recorder& r, const PerturbationPorts& ports, const Tensor& target, bool descends,
                 const Tensor& x, const LossGradient& found, const Best& best) {
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  const auto [score, hit] = record_judge(r, ports, target, descends, found);
  r.kernel("attack.keep_best", r.kernels().keep_best, [=, score = score, hit = hit](Access& at) {
    return KeepBest{at.in(x),
                    at.in(score),
                    best.hit ? at.in<std::int32_t>(hit) : nullptr,
                    at.inout(best.x),
                    at.inout(best.score),
                    at.inout<std::int32_t>(best.hit),
                    rows,
                    cols};
  });
}

}  // namespace

Pgd::Pgd(const PgdSpec& spec, std::string name) : spec_(spec), name_(std::move(name)) {
  check_pgd_spec(spec_, name_);
}

std::string Pgd::spec() const {
  return to_string(spec_, name_);
}

bool Pgd::descends() const {
  return spec_.target.targeted && spec_.loss == AttackLoss::cross_entropy;
}

Tensor Pgd::record_momentum(Recorder& r, const Shape& images) const {
  if (spec_.momentum == 0) return {};
  const Tensor momentum = r.make("momentum", images);
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out(momentum), images.size(), 0.0f};
  });
  return momentum;
}

void Pgd::record_step(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient,
                      const Tensor& momentum, const Tensor& x) const {
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  const auto alpha = static_cast<float>(descends() ? -spec_.alpha : spec_.alpha);
  if (momentum)
    r.kernel("attack.momentum", r.kernels().accumulate_momentum,
             [=, decay = static_cast<float>(spec_.momentum)](Access& at) {
               return AccumulateMomentum{at.inout(momentum), at.in(gradient), rows, cols, decay};
             });
  const Tensor followed = momentum ? momentum : gradient;
  if (spec_.norm == Norm::l1) {
    const double share = (1 - spec_.sparsity) * static_cast<double>(cols);
    const std::int64_t count = std::max<std::int64_t>(1, std::llround(share));
    r.kernel("attack.step", r.kernels().sparse_step, [=](Access& at) {
      SparseStep a;
      a.x = at.inout(x);
      a.gradient = at.in(followed);
      a.rows = rows;
      a.cols = cols;
      a.count = count;
      a.alpha = alpha;
      return a;
    });
    record_project_l1(r, ports, spec_.eps, x);
    return record_gradient_count(r, ports, gradient, {});
  }
  const auto step = spec_.norm == Norm::linf ? r.kernels().pgd_step_linf : r.kernels().pgd_step_l2;
  r.kernel("attack.step", step, [=, eps = static_cast<float>(spec_.eps)](Access& at) {
    PgdStep a;
    a.x = at.inout(x);
    a.gradient = at.in(followed);
    a.clean = at.in(ports.images);
    a.rows = rows;
    a.cols = cols;
    a.alpha = alpha;
    a.eps = eps;
    a.eps_scale = at.in(ports.eps_scale);
    return a;
  });
  record_gradient_count(r, ports, gradient, {});
}

Tensor Pgd::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Tensor target = record_target(r, victim, ports, spec_.target, name_);
  Aim aim{.loss = spec_.loss, .label = ports.label, .target = target};
  if (spec_.loss == AttackLoss::divergence) aim.reference = victim.logits(ports.images);
  if (descends()) aim.label = target;

  const auto record_run = [&]() -> Tensor {
    const Tensor x = r.make("adversarial images", ports.images.shape);
    record_start(r, ports, spec_.start, spec_.norm, spec_.eps, x);
    Best best;
    if (spec_.iterate == Iterate::best) best = record_best(r, ports.images, CompareHits::no, "best iterate");
    const Tensor momentum = record_momentum(r, x.shape);
    r.loop(spec_.steps, [&] {
      const LossGradient found = record_loss_gradient(r, victim, x, aim);
      if (best.x) record_keep(r, ports, target, descends(), x, found, best);
      record_step(r, ports, found.gradient, momentum, x);
    });
    if (!best.x) return x;
    record_keep(r, ports, target, descends(), x, record_loss(r, victim, x, aim), best);
    return best.x;
  };

  if (spec_.restarts == 1) return record_run();
  const Best kept = record_best(r, ports.images, CompareHits::yes, "best restart");
  r.loop(spec_.restarts, [&] {
    const Tensor x = record_run();
    record_keep(r, ports, target, descends(), x, record_loss(r, victim, x, aim), kept);
    r.kernel("attack.next_restart", r.kernels().next_restart,
             [=](Access& at) { return NextRestart{at.inout<StepState>(ports.state)}; });
  });
  return kept.x;
}

}  // namespace inocula::attacks
