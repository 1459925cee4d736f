// Recording FAB.
#include "attacks/fab.h"

#include <cmath>
#include <limits>
#include <vector>

#include "attacks/parts/attack_loss.h"
#include "attacks/parts/gradient_count.h"
#include "attacks/parts/nearest.h"
#include "attacks/parts/spec_keys.h"
#include "attacks/region.h"
#include "engine/error.h"
#include "engine/loss.h"
#include "kernels/fab.h"
#include "kernels/start.h"
#include "kernels/targets.h"

namespace inocula::attacks {

namespace {

double usual_radius(Norm norm) {
  return norm == Norm::linf ? 8.0 / 255 : norm == Norm::l2 ? 1.0 : 12.0;
}

std::string name_of(const FabSpec& spec) {
  return spec.target.targeted ? "fab-t" : "fab";
}

void check(const FabSpec& spec) {
  const std::string name = name_of(spec);
  const auto want = [&](bool good, const char* field, double value, const char* expected) {
    if (!good) refuse_field(name, field, value, expected);
  };
  want(spec.eps >= 0, "eps", spec.eps, "0 or more, in units of the pixel range [0, 1], or inf");
  want(spec.norm != Norm::linf || spec.eps <= 1 || std::isinf(spec.eps), "eps", spec.eps,
       "at most 1, in units of the pixel range [0, 1], or inf");
  want(spec.steps >= 1, "steps", static_cast<double>(spec.steps), "at least 1");
  want(spec.alpha_max >= 0 && spec.alpha_max <= 1, "alpha_max", spec.alpha_max, "0 to 1");
  want(std::isfinite(spec.eta) && spec.eta >= 1, "eta", spec.eta, "at least 1");
  want(spec.beta > 0 && spec.beta <= 1, "beta", spec.beta, "above 0 and at most 1");
  want(spec.targets >= 1, "targets", static_cast<double>(spec.targets), "at least 1");
  want(spec.restarts >= 1, "restarts", static_cast<double>(spec.restarts), "at least 1");
  if (spec.norm == Norm::l0)
    fail(ErrorKind::usage, name, ": norm is ", to_string(spec.norm), ", expected linf, l2 or l1");
}

void record_fill(Recorder& r, const Tensor& t, float value) {
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out(t), t.shape.size(), value};
  });
}

/// A class's logit less the label's, and its gradient by the image.
struct Boundary {
  Tensor margin, gradient;
};

Boundary record_boundary(Recorder& r, Victim& victim, const Query& query, const Tensor& label,
                         const Tensor& target) {
  const LossTensors margin =
      record_margin(r, Margin::difference, query.logits, label, target, LossGradientWanted::yes);
  return {margin.loss, victim.gradient(query, margin.dlogits)};
}

/// That of several classes to which each image is nearest.
Boundary record_nearest_boundary(Recorder& r, Victim& victim, const Tensor& x, const Tensor& label,
                                 const std::vector<Tensor>& targets, Distance norm) {
  const Query query = victim.query(x);
  if (targets.size() == 1) return record_boundary(r, victim, query, label, targets[0]);
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  const Boundary kept{r.make("fab margin", {rows, 1, 1, 1}), r.make("fab gradient", x.shape)};
  const Tensor distance = r.make("fab boundary distance", {rows, 1, 1, 1});
  // Where nothing can be measured there is no boundary.
  record_fill(r, kept.margin, 0);
  record_fill(r, kept.gradient, 0);
  record_fill(r, distance, std::numeric_limits<float>::infinity());
  for (const Tensor& target : targets) {
    const Boundary boundary = record_boundary(r, victim, query, label, target);
    r.kernel("attack.boundary", r.kernels().keep_boundary, [=](Access& at) {
      KeepBoundary a;
      a.gradient = at.in(boundary.gradient);
      a.margin = at.in(boundary.margin);
      a.kept_gradient = at.inout(kept.gradient);
      a.kept_margin = at.inout(kept.margin);
      a.distance = at.inout(distance);
      a.rows = rows;
      a.cols = cols;
      a.norm = norm;
      return a;
    });
  }
  return kept;
}

/// Steps along the boundary that is nearest of those of `targets`; what is nearer than `nearest` replaces it.
void record_fab_run(Recorder& r, Victim& victim, const PerturbationPorts& ports, const FabSpec& spec,
                    const std::vector<Tensor>& targets, const Tensor& x, const Nearest& nearest) {
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  const Distance norm = nearest.norm;
  const double start = 0.5 * (std::isinf(spec.eps) ? usual_radius(spec.norm) : spec.eps);
  r.kernel("attack.start", r.kernels().fab_start, [=](Access& at) {
    FabStart a;
    a.x = at.out(x);
    a.clean = at.in(ports.images);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.state = at.in<StepState>(ports.state);
    a.restart = at.in<std::int32_t>(ports.restart);
    a.eps_scale = at.in(ports.eps_scale);
    a.rows = rows;
    a.cols = cols;
    a.radius = static_cast<float>(start);
    a.norm = norm;
    return a;
  });
  record_in_region(r, ports, x);

  r.loop(spec.steps, [&] {
    const Boundary boundary = record_nearest_boundary(r, victim, x, ports.label, targets, norm);
    r.kernel("attack.step", r.kernels().fab_step, [=](Access& at) {
      FabStep a;
      a.x = at.inout(x);
      a.clean = at.in(ports.images);
      a.gradient = at.in(boundary.gradient);
      a.margin = at.in(boundary.margin);
      a.rows = rows;
      a.cols = cols;
      a.alpha_max = static_cast<float>(spec.alpha_max);
      a.eta = static_cast<float>(spec.eta);
      a.norm = norm;
      return a;
    });
    record_gradient_count(r, ports, boundary.gradient, {});
    const LossGradient found = record_loss(r, victim, x, {.loss = AttackLoss::margin, .label = ports.label});
    const Tensor hit = record_hits(r, ports, {}, found);
    record_keep_nearest(r, ports, x, hit, nearest);
    r.kernel("attack.retreat", r.kernels().fab_retreat, [=, beta = spec.beta](Access& at) {
      FabRetreat a;
      a.x = at.inout(x);
      a.clean = at.in(ports.images);
      a.hit = at.in<std::int32_t>(hit);
      a.rows = rows;
      a.cols = cols;
      a.beta = static_cast<float>(beta);
      return a;
    });
  });
}

}  // namespace

FabSpec parse_fab_spec(const Spec& s, double eps) {
  FabSpec f;
  if (s.name() == "fab-t") {
    s.allow({"norm", "eps", "steps", "alpha_max", "eta", "beta", "target", "targets", "restarts", "seed"});
    f.target = parse_target(s);
    if (!s.has("target")) f.target = {.targeted = true, .rule = TargetRule::likely, .given = 1};
  } else {
    s.allow({"norm", "eps", "steps", "alpha_max", "eta", "beta", "restarts", "seed"});
  }
  f.norm = parse_norm(s, {Norm::linf, Norm::l2, Norm::l1});
  f.eps = eps;
  f.steps = s.integer("steps", f.steps);
  f.alpha_max = s.number("alpha_max", f.alpha_max);
  f.eta = s.number("eta", f.eta);
  f.beta = s.number("beta", f.beta);
  return f;
}

double usual_fab_eps(const Spec& s) {
  return usual_radius(parse_norm(s, {Norm::linf, Norm::l2, Norm::l1}));
}

Fab::Fab(const FabSpec& spec) : spec_(spec) {
  check(spec_);
}

std::string Fab::spec() const {
  return name_of(spec_) + ":norm=" + to_string(spec_.norm) + ",eps=" + format_number(spec_.eps) +
         ",steps=" + std::to_string(spec_.steps) + ",alpha_max=" + format_number(spec_.alpha_max) +
         ",eta=" + format_number(spec_.eta) + ",beta=" + format_number(spec_.beta) +
         (spec_.targets > 1       ? ",targets=" + std::to_string(spec_.targets)
          : spec_.target.targeted ? ",target=" + to_string(spec_.target)
                                  : "") +
         (spec_.restarts > 1 ? ",restarts=" + std::to_string(spec_.restarts) : "");
}

Tensor Fab::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Distance norm = distance_of(spec_.norm);
  const auto likely = [&](std::int64_t rank) {
    const Target target{
        .targeted = true, .rule = TargetRule::likely, .given = static_cast<std::int32_t>(rank)};
    return record_target(r, victim, ports, target, name_of(spec_));
  };
  // One list of classes for each run. Without a target every other class once, in whatever order.
  std::vector<std::vector<Tensor>> runs;
  if (spec_.targets > 1) {
    for (std::int64_t rank = 1; rank <= spec_.targets; ++rank) runs.push_back({likely(rank)});
  } else if (spec_.target.targeted) {
    runs.push_back({record_target(r, victim, ports, spec_.target, name_of(spec_))});
  } else {
    runs.emplace_back();
    for (std::int64_t rank = 1; rank < victim.classes(); ++rank) runs.back().push_back(likely(rank));
  }

  const Tensor x = r.make("fab images", ports.images.shape);
  const Nearest nearest = record_nearest(r, ports, norm);
  for (std::int64_t restart = 0; restart < spec_.restarts; ++restart) {
    if (restart > 0)
      r.kernel("attack.next_restart", r.kernels().next_restart,
               [=](Access& at) { return NextRestart{at.inout<StepState>(ports.state)}; });
    for (const std::vector<Tensor>& targets : runs)
      record_fab_run(r, victim, ports, spec_, targets, x, nearest);
  }
  return record_within(r, ports, nearest, spec_.eps);
}

}  // namespace inocula::attacks
