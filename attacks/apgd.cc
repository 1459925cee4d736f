// Recording Auto-PGD.
#include "attacks/apgd.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "attacks/apgd_l1.h"
#include "attacks/parts/gradient_count.h"
#include "attacks/parts/spec_keys.h"
#include "attacks/parts/start.h"
#include "engine/error.h"
#include "kernels/apgd.h"

namespace inocula::attacks {

namespace {

/// Checkpoints after 22 % of the steps, then after windows that are 3 % shorter each, not below 6 % (the
/// authors' numbers).
ApgdSchedule schedule_of(std::int64_t steps, double rho) {
  const auto part = [steps](double share) {
    return static_cast<std::int32_t>(std::max(share * static_cast<double>(steps) + 1e-9, 1.0));
  };
  return {part(0.22), part(0.03), part(0.06), static_cast<float>(rho)};
}

/// The tensors that are carried from step to step.
struct Carried {
  Tensor x, previous, best, best_gradient, state, done;

  Carried(Recorder& r, const Shape& images)
      : x(r.make("adversarial images", images)),
        previous(r.make("previous images", images)),
        best(r.make("best images", images)),
        best_gradient(r.make("best gradient", images)),
        state(r.make("state", {images.n, static_cast<std::int64_t>(sizeof(ApgdState)), 1, 1}, DType::bytes)),
        done(r.make("done", {images.n, 1, 1, 1}, DType::i32)) {}
};

/// All bits of 0.0f are those of the integer 0.
void record_zeros(Recorder& r, const Tensor& t, std::int64_t words) {
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) { return Fill{at.out(t), words, 0.0f}; });
}

void record_look(Recorder& r, const PerturbationPorts& ports, const ApgdSpec& spec, const Carried& c,
                 const LossGradient& found) {
  const Tensor hit = record_hits(r, ports, {}, found);
  r.kernel("attack.look", r.kernels().apgd_look, [=](Access& at) {
    ApgdLook a;
    a.x = at.inout(c.x);
    a.gradient = at.inout(found.gradient);
    a.loss = at.in(found.loss);
    a.hit = at.in<std::int32_t>(hit);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.best = at.inout(c.best);
    a.best_gradient = at.inout(c.best_gradient);
    a.state = at.inout<ApgdState>(c.state);
    a.done = at.inout<std::int32_t>(c.done);
    a.rows = c.x.shape.n;
    a.cols = c.x.shape.per_sample();
    a.step = static_cast<float>(2 * spec.eps);
    a.eps_scale = at.in(ports.eps_scale);
    a.schedule = schedule_of(spec.steps, spec.rho);
    return a;
  });
}

void record_step(Recorder& r, const PerturbationPorts& ports, const ApgdSpec& spec, const Carried& c,
                 const Tensor& gradient) {
  const auto step = spec.norm == Norm::linf ? r.kernels().apgd_step_linf : r.kernels().apgd_step_l2;
  r.kernel("attack.step", step, [=](Access& at) {
    ApgdStep a;
    a.x = at.inout(c.x);
    a.previous = at.inout(c.previous);
    a.gradient = at.in(gradient);
    a.clean = at.in(ports.images);
    a.state = at.in<ApgdState>(c.state);
    a.done = at.in<std::int32_t>(c.done);
    a.rows = c.x.shape.n;
    a.cols = c.x.shape.per_sample();
    a.eps = static_cast<float>(spec.eps);
    a.eps_scale = at.in(ports.eps_scale);
    return a;
  });
}

}  // namespace

void check_apgd_spec(const ApgdSpec& spec, const std::string& name) {
  const auto want = [&](bool good, const char* field, double value, const char* expected) {
    if (!good) refuse_field(name, field, value, expected);
  };
  check_ball(name, spec.norm, spec.eps);
  want(spec.steps >= 1 && spec.steps <= 1000000, "steps", static_cast<double>(spec.steps), "1 to 1000000");
  want(spec.rho >= 0 && spec.rho <= 1, "rho", spec.rho, "0 to 1");
  if (spec.target.targeted && spec.loss == AttackLoss::cross_entropy)
    fail(ErrorKind::usage, name, ": the cross-entropy has no target here, expected loss=dlr or margin");
}

Apgd::Apgd(const ApgdSpec& spec, std::string name) : spec_(spec), name_(std::move(name)) {
  check_apgd_spec(spec_, name_);
}

std::string Apgd::spec() const {
  std::string text = name_ + ":norm=" + to_string(spec_.norm) + ",eps=" + format_number(spec_.eps) +
                     ",steps=" + std::to_string(spec_.steps);
  if (spec_.norm != Norm::l1) text += ",rho=" + format_number(spec_.rho);
  if (spec_.target.targeted)
    text += std::string(",loss=") + (spec_.loss == AttackLoss::dlr ? "dlr" : "margin") +
            ",target=" + to_string(spec_.target);
  return text;
}

Tensor Apgd::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Aim aim{.loss = spec_.loss,
                .label = ports.label,
                .target = record_target(r, victim, ports, spec_.target, name_)};
  if (spec_.norm == Norm::l1) return record_apgd_l1(r, victim, ports, aim, spec_.eps, spec_.steps);
  const Carried c(r, ports.images.shape);
  record_start(r, ports, spec_.norm == Norm::linf ? Start::uniform : Start::sphere, spec_.norm, spec_.eps,
               c.x);
  r.copy("attack.copy", c.x, c.previous);
  r.copy("attack.copy", c.x, c.best);
  record_zeros(r, c.best_gradient, c.best_gradient.shape.size());
  static_assert(sizeof(ApgdState) % sizeof(float) == 0);
  record_zeros(r, c.state, c.state.shape.size() / static_cast<std::int64_t>(sizeof(float)));
  record_zeros(r, c.done, c.done.shape.size());
  r.loop(
      spec_.steps,
      [&] {
        const LossGradient found = record_loss_gradient(r, victim, c.x, aim);
        record_gradient_count(r, ports, found.gradient, c.done);
        record_look(r, ports, spec_, c, found);
        record_step(r, ports, spec_, c, found.gradient);
      },
      c.done);
  record_look(r, ports, spec_, c, record_loss(r, victim, c.x, aim));
  return c.best;
}

}  // namespace inocula::attacks
