// Recording the Square attack.
#include "attacks/square.h"

#include <algorithm>
#include <cmath>

#include "attacks/parts/attack_loss.h"
#include "attacks/parts/spec_keys.h"
#include "attacks/region.h"
#include "engine/error.h"
#include "kernels/square.h"

namespace inocula::attacks {

namespace {

/// Turns after which p is halved, of kPaperQueries.
constexpr std::int64_t kHalvings[kSquarePhases - 1] = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};
constexpr std::int64_t kPaperQueries = 10000;
constexpr std::int64_t kMostQueries = 10'000'000;
/// The least window of the paper's L2 attack.
constexpr std::int64_t kLeastSideL2 = 3;

std::int64_t side_of(const SquareSpec& spec, double p, const Shape& image) {
  const std::int64_t shorter = std::min(image.h, image.w);
  const auto side =
      static_cast<std::int64_t>(std::lround(std::sqrt(p * static_cast<double>(image.pixels()))));
  if (spec.norm == Norm::linf) return std::clamp<std::int64_t>(side, 1, shorter);
  const std::int64_t odd = std::max(side, kLeastSideL2) | 1, most = shorter - (shorter % 2 == 0 ? 1 : 0);
  return std::min(odd, most > 0 ? most : 1);
}

void set_phases(const SquareSpec& spec, const Shape& image, SquareAttack& a) {
  double p = spec.p;
  for (int k = 0; k < kSquarePhases; ++k, p /= 2) {
    const std::int64_t paper = k == 0 ? 0 : kHalvings[k - 1] + 1;
    const std::int64_t from =
        spec.rescale ? (paper * spec.queries + kPaperQueries - 1) / kPaperQueries : paper;
    a.phase[k] = {static_cast<std::int32_t>(from), static_cast<std::int32_t>(side_of(spec, p, image))};
  }
}

void check(const SquareSpec& spec) {
  const auto want = [](bool good, const char* field, double value, const char* expected) {
    if (!good) refuse_field("square", field, value, expected);
  };
  want(std::isfinite(spec.eps) && spec.eps >= 0, "eps", spec.eps,
       "0 or more, in units of the pixel range [0, 1]");
  want(spec.norm != Norm::linf || spec.eps <= 1, "eps", spec.eps,
       "at most 1, in units of the pixel range [0, 1]: eight of 255 grey levels are 8/255");
  want(spec.queries >= 1 && spec.queries <= kMostQueries, "queries", static_cast<double>(spec.queries),
       "1 to 10000000");
  want(spec.p > 0 && spec.p <= 1, "p", spec.p, "a share of the pixels above 0 and at most 1");
  if (spec.norm != Norm::linf && spec.norm != Norm::l2)
    fail(ErrorKind::usage, "square: norm is ", to_string(spec.norm), ", expected linf or l2");
}

}  // namespace

SquareSpec parse_square_spec(const Spec& s, double eps) {
  s.allow({"norm", "eps", "queries", "p", "rescale", "restarts", "seed"});
  SquareSpec q;
  q.norm = parse_norm(s, {Norm::linf, Norm::l2});
  q.eps = eps;
  q.queries = s.integer("queries", q.queries);
  q.p = s.number("p", q.p);
  q.rescale = s.integer("rescale", 0, 0, 1) == 1;
  return q;
}

double usual_square_eps(const Spec& s) {
  return parse_norm(s, {Norm::linf, Norm::l2}) == Norm::linf ? 8.0 / 255 : 1.0;
}

Square::Square(const SquareSpec& spec) : spec_(spec) {
  check(spec_);
}

std::string Square::spec() const {
  return "square:norm=" + to_string(spec_.norm) + ",eps=" + format_number(spec_.eps) +
         ",queries=" + std::to_string(spec_.queries) + ",p=" + format_number(spec_.p) +
         ",rescale=" + (spec_.rescale ? "1" : "0");
}

Tensor Square::record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const {
  const Shape& images = ports.images.shape;
  const Tensor x = r.make("square candidates", images), best = r.make("square best", images);
  const Tensor search = r.make(
      "square search", {images.n, static_cast<std::int64_t>(sizeof(SquareSearch)), 1, 1}, DType::bytes);
  const Tensor done = r.make("square done", {images.n, 1, 1, 1}, DType::i32);
  SquareAttack shape;
  shape.rows = images.n;
  shape.channels = images.c;
  shape.height = images.h;
  shape.width = images.w;
  shape.eps = static_cast<float>(spec_.eps);
  set_phases(spec_, images, shape);
  const bool linf = spec_.norm == Norm::linf;

  r.kernel("attack.start", linf ? r.kernels().square_start_linf : r.kernels().square_start_l2,
           [=](Access& at) {
             SquareAttack a = shape;
             a.x = at.out(x);
             a.best = at.out(best);
             a.search = at.out<SquareSearch>(search);
             a.done = at.out<std::int32_t>(done);
             a.clean = at.in(ports.images);
             a.sample = at.in<std::int32_t>(ports.sample);
             a.state = at.in<StepState>(ports.state);
             a.restart = at.in<std::int32_t>(ports.restart);
             a.eps_scale = at.in(ports.eps_scale);
             return a;
           });
  // Outside the region nothing differs, so that no mass of L2 is counted there.
  record_in_region(r, ports, x);
  record_in_region(r, ports, best);
  // A candidate more is written than is asked about.
  r.loop(
      spec_.queries,
      [&] {
        const LossGradient found =
            record_loss(r, victim, x, {.loss = AttackLoss::margin, .label = ports.label});
        r.kernel("attack.square", linf ? r.kernels().square_step_linf : r.kernels().square_step_l2,
                 [=](Access& at) {
                   SquareAttack a = shape;
                   a.x = at.inout(x);
                   a.best = at.inout(best);
                   a.search = at.inout<SquareSearch>(search);
                   a.done = at.inout<std::int32_t>(done);
                   a.clean = at.in(ports.images);
                   a.sample = at.in<std::int32_t>(ports.sample);
                   a.state = at.in<StepState>(ports.state);
                   a.restart = at.in<std::int32_t>(ports.restart);
                   a.loss = at.in(found.loss);
                   a.predicted = at.in<std::int32_t>(found.predicted);
                   a.label = at.in<std::int32_t>(ports.label);
                   a.eps_scale = at.in(ports.eps_scale);
                   return a;
                 });
        record_in_region(r, ports, x);
      },
      done);
  return best;
}

}  // namespace inocula::attacks
