// Recording the attack of Carlini and Wagner.
#include "attacks/cw.h"

#include <cmath>

#include "attacks/parts/attack_loss.h"
#include "attacks/parts/gradient_count.h"
#include "attacks/parts/nearest.h"
#include "attacks/parts/spec_keys.h"
#include "attacks/region.h"
#include "engine/loss.h"

namespace inocula::attacks {

namespace {

constexpr const char* kName = "cw";

void check(const CwSpec& spec) {
  const auto want = [&](bool good, const char* field, double value, const char* expected) {
    if (!good) refuse_field(kName, field, value, expected);
  };
  want(spec.eps >= 0, "eps", spec.eps, "0 or more, or inf");
  want(spec.steps >= 1, "steps", static_cast<double>(spec.steps), "at least 1");
  want(spec.search >= 1, "search", static_cast<double>(spec.search), "at least 1");
  want(std::isfinite(spec.c) && spec.c > 0, "c", spec.c, "a positive number");
  want(std::isfinite(spec.confidence) && spec.confidence >= 0, "confidence", spec.confidence, "0 or more");
  want(std::isfinite(spec.lr) && spec.lr > 0, "lr", spec.lr, "a positive number");
}

/// What Adam moves, and each sample's search for c; `checked_w` and `done` where rounds end early.
struct Variables {
  Tensor w, moment1, moment2, x, search, checked_w, done;
};

Variables make_variables(Recorder& r, const Shape& images, std::int64_t every) {
  Variables v{r.make("w", images),
              r.make("first moment", images),
              r.make("second moment", images),
              r.make("adversarial images", images),
              r.make("search for c", {images.n, sizeof(CwSearch), 1, 1}, DType::bytes),
              {},
              {}};
  if (every == 0) return v;
  v.checked_w = r.make("w at the last check", images);
  v.done = r.make("done", {images.n, 1, 1, 1}, DType::i32);
  return v;
}

void record_begin(Recorder& r, const PerturbationPorts& ports, const Variables& v) {
  r.kernel("attack.begin", r.kernels().cw_begin, [=](Access& at) {
    CwBegin a;
    a.w = at.out(v.w);
    a.moment1 = at.out(v.moment1);
    a.moment2 = at.out(v.moment2);
    a.x = at.out(v.x);
    a.clean = at.in(ports.images);
    a.search = at.inout<CwSearch>(v.search);
    a.rows = v.x.shape.n;
    a.cols = v.x.shape.per_sample();
    a.checked_w = at.out(v.checked_w);
    a.done = at.out<std::int32_t>(v.done);
    a.sample = at.in<std::int32_t>(ports.sample);
    return a;
  });
}

}  // namespace

CwSpec parse_cw_spec(const Spec& s, double eps) {
  s.allow({"eps", "steps", "search", "c", "confidence", "lr", "abort_early", "target", "seed"});
  CwSpec p;
  p.eps = eps;
  p.steps = s.integer("steps", p.steps);
  p.search = s.integer("search", p.search);
  p.c = s.number("c", p.c);
  p.confidence = s.number("confidence", p.confidence);
  p.lr = s.number("lr", p.lr);
  p.abort_early = s.integer("abort_early", 1, 0, 1) == 1;
  p.target = parse_target(s);
  return p;
}

Cw::Cw(const CwSpec& spec) : spec_(spec) {
  check(spec_);
}

std::string Cw::spec() const {
  return std::string(kName) + ":eps=" + format_number(spec_.eps) + ",steps=" + std::to_string(spec_.steps) +
         ",search=" + std::to_string(spec_.search) + ",c=" + format_number(spec_.c) +
         ",confidence=" + format_number(spec_.confidence) + ",lr=" + format_number(spec_.lr) +
         ",abort_early=" + (spec_.abort_early ? "1" : "0") +
         (spec_.target.targeted ? ",target=" + to_string(spec_.target) : "");
}

Tensor Cw::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Tensor images = ports.images;
  const std::int64_t rows = images.shape.n, cols = images.shape.per_sample();
  const Tensor target = record_target(r, victim, ports, spec_.target, kName);
  const std::int32_t targeted = target ? 1 : 0;
  // With the target in the label's place margin_loss is how far the likeliest other class is ahead of it.
  const Aim aim{.loss = AttackLoss::margin, .label = target ? target : ports.label};
  const auto confidence = static_cast<float>(spec_.confidence);
  const std::int64_t every = spec_.abort_early ? spec_.steps / 10 : 0;
  const Variables v = make_variables(r, images.shape, every);
  const Nearest nearest = record_nearest(r, ports, Distance::l2);
  r.kernel("attack.clear", r.kernels().cw_start, [=, c = spec_.c](Access& at) {
    return CwStart{at.out<CwSearch>(v.search), rows, c};
  });
  const auto keep = [&](const Tensor& x, const LossGradient& found) {
    const Tensor hit = r.make("candidate hit", {rows, 1, 1, 1}, DType::i32);
    r.kernel("attack.judge", r.kernels().cw_judge, [=](Access& at) {
      return CwJudge{at.in(found.loss),
                     at.in<std::int32_t>(found.predicted),
                     at.in<std::int32_t>(aim.label),
                     at.inout<CwSearch>(v.search),
                     at.out<std::int32_t>(hit),
                     rows,
                     targeted,
                     confidence};
    });
    record_keep_nearest(r, ports, x, hit, nearest);
  };

  keep(images, record_loss(r, victim, images, aim));
  r.loop(spec_.search, [&] {
    record_begin(r, ports, v);
    // (tanh w + 1) / 2 is off by roundings, after which Adam would step.
    record_in_region(r, ports, v.x);
    const auto step = [&] {
      const LossGradient found = record_loss_gradient(r, victim, v.x, aim);
      record_gradient_count(r, ports, found.gradient, v.done);
      keep(v.x, found);
      r.kernel("attack.step", r.kernels().cw_step, [=, lr = spec_.lr](Access& at) {
        CwStep a;
        a.w = at.inout(v.w);
        a.moment1 = at.inout(v.moment1);
        a.moment2 = at.inout(v.moment2);
        a.x = at.inout(v.x);
        a.clean = at.in(images);
        a.gradient = at.in(found.gradient);
        a.loss = at.in(found.loss);
        a.search = at.inout<CwSearch>(v.search);
        a.rows = rows;
        a.cols = cols;
        a.targeted = targeted;
        a.confidence = confidence;
        a.rate = static_cast<float>(lr);
        a.every = every;
        a.checked_w = at.inout(v.checked_w);
        a.done = at.inout<std::int32_t>(v.done);
        return a;
      });
      record_in_region(r, ports, v.x);
    };
    r.loop(spec_.steps, step, v.done);
    keep(v.x, record_loss(r, victim, v.x, aim));
    r.kernel("attack.search", r.kernels().cw_next, [=](Access& at) {
      return CwNext{at.inout<CwSearch>(v.search), rows};
    });
  });
  return record_within(r, ports, nearest, spec_.eps);
}

}  // namespace inocula::attacks
