// Recording Auto-PGD in the L1 norm.
#include "attacks/apgd_l1.h"

#include <algorithm>

#include "attacks/parts/gradient_count.h"
#include "attacks/parts/project.h"
#include "attacks/parts/start.h"
#include "kernels/sparse_apgd.h"

namespace inocula::attacks {

namespace {

/// Steps in a ball of so many radii.
struct Part {
  std::int64_t steps;
  int radii;
};

/// The tensors that are carried from step to step.
struct Carried {
  Tensor x, best, best_gradient, state, done;

  Carried(Recorder& r, const Shape& images)
      : x(r.make("adversarial images", images)),
        best(r.make("best images", images)),
        best_gradient(r.make("best gradient", images)),
        state(r.make("state", {images.n, static_cast<std::int64_t>(sizeof(SparseApgdState)), 1, 1},
                     DType::bytes)),
        done(r.make("done", {images.n, 1, 1, 1}, DType::i32)) {}
};

/// All bits of 0.0f are those of the integer 0.
void record_zeros(Recorder& r, const Tensor& t, std::int64_t words) {
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) { return Fill{at.out(t), words, 0.0f}; });
}

void record_part(Recorder& r, Victim& victim, const PerturbationPorts& ports, const Aim& aim, double eps,
                 const Part& part, const Carried& c) {
  const bool last = part.radii == 1;
  const double radius = part.radii * eps;
  static_assert(sizeof(SparseApgdState) % sizeof(float) == 0);
  record_zeros(r, c.state, c.state.shape.size() / static_cast<std::int64_t>(sizeof(float)));
  record_zeros(r, c.done, c.done.shape.size());
  const auto look = [&](const LossGradient& found) {
    // In a larger ball an image that is taken for another class is no result yet.
    const Tensor hit = last ? record_hits(r, ports, {}, found) : Tensor{};
    r.kernel("attack.look", r.kernels().sparse_apgd_look, [=](Access& at) {
      SparseApgdLook a;
      a.x = at.inout(c.x);
      a.gradient = at.inout(found.gradient);
      a.clean = at.in(ports.images);
      a.loss = at.in(found.loss);
      a.hit = at.in<std::int32_t>(hit);
      a.sample = at.in<std::int32_t>(ports.sample);
      a.best = at.inout(c.best);
      a.best_gradient = at.inout(c.best_gradient);
      a.state = at.inout<SparseApgdState>(c.state);
      a.done = at.inout<std::int32_t>(c.done);
      a.rows = c.x.shape.n;
      a.cols = c.x.shape.per_sample();
      a.step = static_cast<float>(radius);
      a.every = static_cast<std::int32_t>(std::max<std::int64_t>(1, 4 * part.steps / 100));
      return a;
    });
  };
  r.loop(
      part.steps,
      [&] {
        const LossGradient found = record_loss_gradient(r, victim, c.x, aim);
        record_gradient_count(r, ports, found.gradient, c.done);
        look(found);
        r.kernel("attack.step", r.kernels().sparse_apgd_step, [=](Access& at) {
          SparseApgdStep a;
          a.x = at.inout(c.x);
          a.gradient = at.in(found.gradient);
          a.state = at.in<SparseApgdState>(c.state);
          a.done = at.in<std::int32_t>(c.done);
          a.rows = c.x.shape.n;
          a.cols = c.x.shape.per_sample();
          return a;
        });
        record_project_l1(r, ports, radius, c.x);
      },
      c.done);
  look(record_loss(r, victim, c.x, aim));
}

}  // namespace

Tensor record_apgd_l1(Recorder& r, Victim& victim, const PerturbationPorts& ports, const Aim& aim, double eps,
                      std::int64_t steps) {
  const std::int64_t larger = 3 * steps / 10;
  const Carried c(r, ports.images.shape);
  record_zeros(r, c.best_gradient, c.best_gradient.shape.size());
  record_normal_start_l1(r, ports, 1, (larger > 0 ? 3 : 1) * eps, c.x);
  r.copy("attack.copy", c.x, c.best);
  for (const Part part : {Part{larger, 3}, Part{larger, 2}, Part{steps - 2 * larger, 1}}) {
    if (part.steps == 0) continue;
    record_part(r, victim, ports, aim, eps, part, c);
    if (part.radii == 1) break;
    r.copy("attack.copy", c.best, c.x);
    record_project_l1(r, ports, (part.radii - 1) * eps, c.x);
  }
  return c.best;
}

}  // namespace inocula::attacks
