// Recording DeepFool.
#include "attacks/deepfool.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "attacks/parts/attack_loss.h"
#include "attacks/parts/gradient_count.h"
#include "attacks/parts/nearest.h"
#include "attacks/parts/spec_keys.h"

namespace inocula::attacks {

namespace {

constexpr const char* kName = "deepfool";

void check(const DeepFoolSpec& spec) {
  const auto want = [&](bool good, const char* field, double value, const char* expected) {
    if (!good) refuse_field(kName, field, value, expected);
  };
  want(spec.eps >= 0, "eps", spec.eps, "0 or more, or inf");
  want(spec.steps >= 1, "steps", static_cast<double>(spec.steps), "at least 1");
  want(std::isfinite(spec.overshoot) && spec.overshoot > 0, "overshoot", spec.overshoot, "a positive number");
  want(spec.classes >= 2, "classes", static_cast<double>(spec.classes), "at least 2");
}

/// What stays the same from step to step: the classes in question, (N, columns), and where each competitor's
/// backward pass begins.
struct Competitors {
  Tensor rank;
  std::int64_t columns = 0;
  std::vector<Tensor> dlogits;
};

Competitors record_competitors(Recorder& r, Victim& victim, const Tensor& images, std::int64_t most) {
  const std::int64_t rows = images.shape.n, classes = victim.classes();
  Competitors c;
  c.columns = std::min(most, classes);
  c.rank = r.make("competing classes", {rows, c.columns, 1, 1}, DType::i32);
  const Tensor logits = victim.logits(images);
  r.kernel("attack.rank", r.kernels().rank_classes, [=, rank = c.rank, count = c.columns](Access& at) {
    return RankClasses{at.in(logits), at.out<std::int32_t>(rank), rows, classes, count};
  });
  for (std::int64_t column = 1; column < c.columns; ++column) {
    const Tensor dlogits = r.make("logit difference", {rows, classes, 1, 1});
    r.kernel("attack.pick", r.kernels().pick_logits, [=, rank = c.rank, count = c.columns](Access& at) {
      PickLogits a;
      a.index = at.in<std::int32_t>(rank);
      a.dlogits = at.out(dlogits);
      a.rows = rows;
      a.classes = classes;
      a.columns = count;
      a.toward = column;
      a.away = 0;
      return a;
    });
    c.dlogits.push_back(dlogits);
  }
  return c;
}

}  // namespace

DeepFoolSpec parse_deepfool_spec(const Spec& s, double eps) {
  s.allow({"norm", "eps", "steps", "overshoot", "classes", "seed"});
  DeepFoolSpec p;
  p.norm = parse_norm(s, {Norm::l2, Norm::linf});
  p.eps = eps;
  p.steps = s.integer("steps", p.steps);
  p.overshoot = s.number("overshoot", p.overshoot);
  p.classes = s.integer("classes", p.classes);
  return p;
}

DeepFool::DeepFool(const DeepFoolSpec& spec) : spec_(spec) {
  check(spec_);
}

std::string DeepFool::spec() const {
  return std::string(kName) + ":norm=" + to_string(spec_.norm) + ",eps=" + format_number(spec_.eps) +
         ",steps=" + std::to_string(spec_.steps) + ",overshoot=" + format_number(spec_.overshoot) +
         ",classes=" + std::to_string(spec_.classes);
}

Tensor DeepFool::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Shape shape = ports.images.shape;
  const std::int64_t rows = shape.n, cols = shape.per_sample(), classes = victim.classes();
  const Distance norm = distance_of(spec_.norm);
  const Competitors competitors = record_competitors(r, victim, ports.images, spec_.classes);
  const Tensor rank = competitors.rank;
  const std::int64_t columns = competitors.columns;
  const Tensor x = r.make("adversarial images", shape), total = r.make("sum of steps", shape);
  r.copy("attack.copy", ports.images, x);
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out(total), rows * cols, 0.0f};
  });
  const Tensor done = r.make("done", {rows, 1, 1, 1}, DType::i32);  // all bits of 0.0f are those of 0
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) { return Fill{at.out(done), rows, 0.0f}; });

  const auto record_step = [&] {
    const Query query = victim.query(x);
    const Tensor step = r.make("nearest step", shape), distance = r.make("boundary", {rows, 1, 1, 1});
    for (std::int64_t column = 1; column < columns; ++column) {
      const Tensor w = victim.gradient(query, competitors.dlogits[static_cast<std::size_t>(column - 1)]);
      record_gradient_count(r, ports, w, done);
      r.kernel("attack.consider", r.kernels().deepfool_consider, [=, logits = query.logits](Access& at) {
        DeepFoolConsider a;
        a.gradient = at.in(w);
        a.logits = at.in(logits);
        a.rank = at.in<std::int32_t>(rank);
        a.step = column == 1 ? at.out(step) : at.inout(step);
        a.distance = column == 1 ? at.out(distance) : at.inout(distance);
        a.rows = rows;
        a.cols = cols;
        a.classes = classes;
        a.columns = columns;
        a.column = column;
        a.norm = norm;
        return a;
      });
    }
    r.kernel("attack.step", r.kernels().deepfool_move,
             [=, logits = query.logits, overshoot = static_cast<float>(spec_.overshoot)](Access& at) {
               DeepFoolMove a;
               a.x = at.inout(x);
               a.total = at.inout(total);
               a.step = at.in(step);
               a.distance = at.in(distance);
               a.clean = at.in(ports.images);
               a.logits = at.in(logits);
               a.rank = at.in<std::int32_t>(rank);
               a.label = at.in<std::int32_t>(ports.label);
               a.sample = at.in<std::int32_t>(ports.sample);
               a.done = at.inout<std::int32_t>(done);
               a.rows = rows;
               a.cols = cols;
               a.classes = classes;
               a.columns = columns;
               a.overshoot = overshoot;
               return a;
             });
  };
  r.loop(spec_.steps, record_step, done);

  // A sample moves no further from its first success on: the last images are all that can be kept.
  const Nearest nearest = record_nearest(r, ports, norm);
  const LossGradient found = record_loss(r, victim, x, {.loss = AttackLoss::margin, .label = ports.label});
  record_keep_nearest(r, ports, x, record_hits(r, ports, {}, found), nearest);
  return record_within(r, ports, nearest, spec_.eps);
}

}  // namespace inocula::attacks
