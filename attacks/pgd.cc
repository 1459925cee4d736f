// Recording PGD.
#include "attacks/pgd.h"

#include <cmath>
#include <limits>
#include <utility>

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
void record_keep(Recorder& r, const PerturbationPorts& ports, const Tensor& target, const Tensor& x,
                 const LossGradient& found, const Best& best) {
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  const Tensor score = r.make("candidate score", {rows, 1, 1, 1});
  const Tensor hit = r.make("candidate hit", {rows, 1, 1, 1}, DType::i32);
  r.kernel("attack.judge", r.kernels().judge, [=, label = ports.label](Access& at) {
    return Judge{at.in(found.loss),
                 at.in<std::int32_t>(found.predicted),
                 at.in<std::int32_t>(label),
                 at.in<std::int32_t>(target),
                 at.out(score),
                 at.out<std::int32_t>(hit),
                 rows};
  });
  r.kernel("attack.keep_best", r.kernels().keep_best, [=](Access& at) {
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

std::string to_string(Norm norm) {
  return norm == Norm::linf ? "linf" : "l2";
}

Pgd::Pgd(const PgdSpec& spec, std::string name) : spec_(spec), name_(std::move(name)) {
  const auto want = [&](bool good, const char* field, double value, const char* expected) {
    if (!good) fail(ErrorKind::usage, name_, ": ", field, " is ", value, ", expected ", expected);
  };
  want(std::isfinite(spec.eps) && spec.eps >= 0, "eps", spec.eps,
       "0 or more, in units of the pixel range [0, 1]");
  want(spec.norm != Norm::linf || spec.eps <= 1, "eps", spec.eps,
       "at most 1, in units of the pixel range [0, 1]: eight of 255 grey levels are 8/255");
  want(std::isfinite(spec.alpha) && spec.alpha > 0, "alpha", spec.alpha, "a positive number");
  want(spec.steps >= 1, "steps", static_cast<double>(spec.steps), "at least 1");
  want(spec.restarts >= 1, "restarts", static_cast<double>(spec.restarts), "at least 1");
  if (spec.restarts > 1 && spec.start == Start::clean)
    fail(ErrorKind::usage, name_, ": ", spec.restarts,
         " restarts from the same clean image would all be one; "
         "expected random_start=1");
  if (spec.start == Start::sphere && spec.norm != Norm::l2)
    fail(ErrorKind::usage, name_, ": a start on the sphere needs norm=l2");
  if (spec_.loss == AttackLoss::cross_entropy) return;
  if (spec_.start == Start::clean)
    fail(ErrorKind::usage, name_, ": the gradient of loss=kl is zero at the image itself; expected a random ",
         "start: random_start=1, sphere or normal");
  if (spec_.target.targeted)
    fail(ErrorKind::usage, name_,
         ": loss=kl leads away from the image's answer, whatever that is; expected no ",
         "target, or loss=ce");
}

std::string Pgd::spec() const {
  std::string text = name_ + ":norm=" + to_string(spec_.norm) + ",eps=" + format_number(spec_.eps);
  if (name_ != "fgsm")
    text += ",steps=" + std::to_string(spec_.steps) + ",alpha=" + format_number(spec_.alpha) +
            ",random_start=" +
            (spec_.start == Start::clean     ? "0"
             : spec_.start == Start::uniform ? "1"
             : spec_.start == Start::sphere  ? "sphere"
                                             : "normal") +
            ",restarts=" + std::to_string(spec_.restarts) +
            ",keep=" + (spec_.iterate == Iterate::last ? "last" : "best");
  if (spec_.loss == AttackLoss::divergence) text += ",loss=kl";
  if (spec_.target.targeted) {
    const TargetRule rule = spec_.target.rule;
    text += ",target=" + (rule == TargetRule::given          ? std::to_string(spec_.target.given)
                          : rule == TargetRule::least_likely ? std::string("least_likely")
                                                             : std::string("random"));
  }
  return text;
}

Tensor Pgd::record_target(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  if (!spec_.target.targeted) return {};
  const std::int64_t rows = ports.images.shape.n, classes = victim.classes();
  if (spec_.target.rule == TargetRule::given && (spec_.target.given < 0 || spec_.target.given >= classes))
    fail(ErrorKind::usage, name_, ": target is class ", spec_.target.given, ", expected 0 to ", classes - 1);
  const Tensor logits =
      spec_.target.rule == TargetRule::least_likely ? victim.logits(ports.images) : Tensor{};
  const Tensor target = r.make("target class", {rows, 1, 1, 1}, DType::i32);
  r.kernel("attack.target", r.kernels().choose_target,
           [=, rule = spec_.target.rule, given = spec_.target.given](Access& at) {
             return ChooseTarget{at.in(logits),
                                 at.in<std::int32_t>(ports.label),
                                 at.in<std::int32_t>(ports.sample),
                                 at.in<StepState>(ports.state),
                                 at.out<std::int32_t>(target),
                                 rows,
                                 classes,
                                 rule,
                                 given};
           });
  return target;
}

void Pgd::record_start(Recorder& r, const PerturbationPorts& ports, const Tensor& x) const {
  if (spec_.start == Start::clean) return r.copy("attack.copy", ports.images, x);
  const KernelTable& k = r.kernels();
  const bool linf = spec_.norm == Norm::linf;
  const auto start = spec_.start == Start::normal   ? linf ? k.start_normal_linf : k.start_normal_l2
                     : linf                         ? k.start_uniform_linf
                     : spec_.start == Start::sphere ? k.start_sphere_l2
                                                    : k.start_uniform_l2;
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  r.kernel("attack.start", start, [=, eps = static_cast<float>(spec_.eps)](Access& at) {
    RandomStart a;
    a.x = at.out(x);
    a.clean = at.in(ports.images);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.state = at.in<StepState>(ports.state);
    a.rows = rows;
    a.cols = cols;
    a.eps = eps;
    a.deviation = static_cast<float>(kNormalStart);
    return a;
  });
}

void Pgd::record_step(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient,
                      const Tensor& x) const {
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  const auto step = spec_.norm == Norm::linf ? r.kernels().pgd_step_linf : r.kernels().pgd_step_l2;
  const auto alpha = static_cast<float>(spec_.target.targeted ? -spec_.alpha : spec_.alpha);
  r.kernel("attack.step", step, [=, eps = static_cast<float>(spec_.eps)](Access& at) {
    PgdStep a;
    a.x = at.inout(x);
    a.gradient = at.in(gradient);
    a.clean = at.in(ports.images);
    a.rows = rows;
    a.cols = cols;
    a.alpha = alpha;
    a.eps = eps;
    return a;
  });
  if (!ports.zero_gradients) return;
  r.kernel("attack.count_zero_gradients", r.kernels().count_zero_gradients, [=](Access& at) {
    return CountZeroGradients{at.in(gradient),
                              at.in<std::int32_t>(ports.sample),
                              at.inout<std::uint64_t>(ports.zero_gradients),
                              at.inout<std::uint64_t>(ports.all_gradients),
                              rows,
                              cols};
  });
}

Tensor Pgd::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Tensor target = record_target(r, victim, ports);
  Aim aim;
  if (spec_.loss == AttackLoss::divergence)
    aim.reference = victim.logits(ports.images);
  else
    aim.label = target ? target : ports.label;

  const auto record_run = [&]() -> Tensor {
    const Tensor x = r.make("adversarial images", ports.images.shape);
    record_start(r, ports, x);
    Best best;
    if (spec_.iterate == Iterate::best) best = record_best(r, ports.images, CompareHits::no, "best iterate");
    r.loop(spec_.steps, [&] {
      const LossGradient found = victim.loss_gradient(x, aim);
      if (best.x) record_keep(r, ports, target, x, found, best);
      record_step(r, ports, found.gradient, x);
    });
    if (!best.x) return x;
    record_keep(r, ports, target, x, victim.loss(x, aim), best);
    return best.x;
  };

  if (spec_.restarts == 1) return record_run();
  const Best kept = record_best(r, ports.images, CompareHits::yes, "best restart");
  r.loop(spec_.restarts, [&] {
    const Tensor x = record_run();
    record_keep(r, ports, target, x, victim.loss(x, aim), kept);
    r.kernel("attack.next_restart", r.kernels().next_restart,
             [=](Access& at) { return NextRestart{at.inout<StepState>(ports.state)}; });
  });
  return kept.x;
}

}  // namespace inocula::attacks
