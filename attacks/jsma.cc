// Recording the saliency map attack.
#include "attacks/jsma.h"

#include <algorithm>
#include <cmath>

#include "attacks/parts/attack_loss.h"
#include "attacks/parts/gradient_count.h"
#include "attacks/parts/nearest.h"
#include "attacks/parts/spec_keys.h"
#include "attacks/region.h"
#include "engine/error.h"

namespace inocula::attacks {

namespace {

constexpr const char* kName = "jsma";
/// A smaller change would need more steps than anyone can wait for.
constexpr double kLeastTheta = 0.001;

void check(const JsmaSpec& spec) {
  const auto want = [&](bool good, const char* field, double value, const char* expected) {
    if (!good) refuse_field(kName, field, value, expected);
  };
  want(spec.eps >= 0, "eps", spec.eps, "0 or more values, or inf");
  want(std::abs(spec.theta) >= kLeastTheta && std::abs(spec.theta) <= 1, "theta", spec.theta,
       "0.001 to 1, or -1 to -0.001");
  want(spec.gamma > 0 && spec.gamma <= 1, "gamma", spec.gamma, "a share above 0 and at most 1");
  if (!spec.target.targeted)
    fail(ErrorKind::usage, kName, ": target is none, expected one: the saliency is towards a class");
}

/// Where the backward pass begins whose gradient is that of the target's logit (weight 1, the others 0) or of
/// the sum of the others (0 and 1).
Tensor record_pick(Recorder& r, const Tensor& target, std::int64_t classes, float weight, float elsewhere) {
  const std::int64_t rows = target.shape.n;
  const Tensor dlogits = r.make("picked logits", {rows, classes, 1, 1});
  r.kernel("attack.pick", r.kernels().pick_logits, [=](Access& at) {
    PickLogits a;
    a.index = at.in<std::int32_t>(target);
    a.dlogits = at.out(dlogits);
    a.rows = rows;
    a.classes = classes;
    a.weight = weight;
    a.elsewhere = elsewhere;
    return a;
  });
  return dlogits;
}

}  // namespace

JsmaSpec parse_jsma_spec(const Spec& s, double eps) {
  s.allow({"eps", "theta", "gamma", "target", "pairs", "seed"});
  JsmaSpec p;
  p.eps = eps;
  p.theta = s.number("theta", p.theta);
  p.gamma = s.number("gamma", p.gamma);
  if (s.has("target")) p.target = parse_target(s);
  const std::string pairs = s.word("pairs", "1");
  if (pairs != "0" && pairs != "1")
    fail(ErrorKind::usage, "'", s.text(), "': pairs=", pairs, ", expected 0 or 1");
  p.pairs = pairs == "1";
  return p;
}

Jsma::Jsma(const JsmaSpec& spec) : spec_(spec) {
  check(spec_);
}

std::string Jsma::spec() const {
  return std::string(kName) + ":eps=" + format_number(spec_.eps) + ",theta=" + format_number(spec_.theta) +
         ",gamma=" + format_number(spec_.gamma) + ",target=" + to_string(spec_.target) +
         ",pairs=" + (spec_.pairs ? "1" : "0");
}

std::int64_t Jsma::most_changed(std::int64_t values) const {
  const double share = std::floor(spec_.gamma * static_cast<double>(values));
  return static_cast<std::int64_t>(std::min(share, spec_.eps));
}

std::int64_t Jsma::most_steps(std::int64_t values) const {
  const auto changes_of_a_value = static_cast<std::int64_t>(std::ceil(1 / std::abs(spec_.theta)));
  const std::int64_t changes = most_changed(values) * changes_of_a_value;
  return spec_.pairs ? changes / 2 : changes;
}

Tensor Jsma::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Shape shape = ports.images.shape;
  const std::int64_t rows = shape.n, cols = shape.per_sample(), classes = victim.classes();
  const Tensor target = record_target(r, victim, ports, spec_.target, kName);
  const Tensor toward = record_pick(r, target, classes, 1, 0), others = record_pick(r, target, classes, 0, 1);
  const Tensor x = r.make("adversarial images", shape);
  r.copy("attack.copy", ports.images, x);

  const Tensor done = r.make("done", {rows, 1, 1, 1}, DType::i32);  // all bits of 0.0f are those of 0
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) { return Fill{at.out(done), rows, 0.0f}; });

  const std::int64_t most = most_changed(cols);
  const auto theta = static_cast<float>(spec_.theta);
  const std::int32_t pairs = spec_.pairs ? 1 : 0;
  const auto record_step = [&] {
    const Query query = victim.query(x);
    const Tensor a = victim.gradient(query, toward), b = victim.gradient(query, others);
    record_gradient_count(r, ports, a, done);
    r.kernel("attack.step", r.kernels().saliency_step, [=, logits = query.logits](Access& at) {
      SaliencyStep s;
      s.x = at.inout(x);
      s.clean = at.in(ports.images);
      s.toward = at.in(a);
      s.others = at.in(b);
      s.logits = at.in(logits);
      s.target = at.in<std::int32_t>(target);
      s.sample = at.in<std::int32_t>(ports.sample);
      s.done = at.inout<std::int32_t>(done);
      s.rows = rows;
      s.cols = cols;
      s.classes = classes;
      s.most = most;
      s.theta = theta;
      s.pairs = pairs;
      return s;
    });
  };
  // Of a few values alone the share may allow none.
  if (most_steps(cols) > 0) r.loop(most_steps(cols), record_step, done);

  // A pair's second value may lie outside.
  record_in_region(r, ports, x);
  // A sample moves no further once it has its target: the last images are all that can be kept.
  const Nearest nearest = record_nearest(r, ports, Distance::l0);
  const LossGradient found = record_loss(r, victim, x, {.loss = AttackLoss::margin, .label = ports.label});
  record_keep_nearest(r, ports, x, record_hits(r, ports, target, found), nearest);
  return record_within(r, ports, nearest, spec_.eps);
}

}  // namespace inocula::attacks
