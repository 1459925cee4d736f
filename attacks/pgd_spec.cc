// Texts of the gradient attacks.
#include "attacks/pgd_spec.h"

#include <algorithm>
#include <cmath>

#include "attacks/parts/spec_keys.h"
#include "engine/error.h"

namespace inocula::attacks {

namespace {

Norm norm_of(const Spec& s) {
  return parse_norm(s, {Norm::linf, Norm::l2, Norm::l1});
}

/// torchattacks' defaults: eps 8/255 and alpha 2/255 for L-infinity, 1.0 and 0.2 for L2. AutoAttack's eps for
/// L1, and foolbox' steps of a fifth of it.
PgdSpec defaults(Norm norm) {
  PgdSpec p;
  p.norm = norm;
  if (norm == Norm::l2) p.eps = 1.0, p.alpha = 0.2;
  if (norm == Norm::l1) p.eps = 12.0, p.alpha = 2.4;
  return p;
}

void read_start(const Spec& s, PgdSpec& p) {
  const std::string start = s.word("random_start", "1");
  if (start == "0")
    p.start = Start::clean;
  else if (start == "1")
    p.start = Start::uniform;
  else if (start == "sphere")
    p.start = Start::sphere;
  else if (start == "normal")
    p.start = Start::normal;
  else
    fail(ErrorKind::usage, "'", s.text(), "': random_start=", start, ", expected 0, 1, sphere or normal");
}

void read_sparsity(const Spec& s, PgdSpec& p) {
  if (s.has("sparsity") && p.norm != Norm::l1)
    fail(ErrorKind::usage, "'", s.text(), "': sparsity is that of steps in L1, expected norm=l1");
  p.sparsity = s.number("sparsity", p.sparsity);
}

void read_keep(const Spec& s, PgdSpec& p) {
  const std::string keep = s.word("keep", "last");
  if (keep != "last" && keep != "best")
    fail(ErrorKind::usage, "'", s.text(), "': keep=", keep, ", expected last or best");
  p.iterate = keep == "last" ? Iterate::last : Iterate::best;
}

void read_loss(const Spec& s, PgdSpec& p) {
  const std::string loss = s.word("loss", "ce");
  if (loss == "ce")
    p.loss = AttackLoss::cross_entropy;
  else if (loss == "kl")
    p.loss = AttackLoss::divergence;
  else if (loss == "margin")
    p.loss = AttackLoss::margin;
  else if (loss == "dlr")
    p.loss = AttackLoss::dlr;
  else
    fail(ErrorKind::usage, "'", s.text(), "': loss=", loss, ", expected ce, kl, margin or dlr");
}

PgdSpec read_pgd(const Spec& s, double eps) {
  s.allow({"norm", "eps", "alpha", "path", "steps", "restarts", "random_start", "target", "keep", "loss",
           "sparsity", "seed"});
  PgdSpec p = defaults(norm_of(s));
  p.eps = eps;
  p.steps = s.integer("steps", p.steps);
  if (s.has("path") && s.has("alpha"))
    fail(ErrorKind::usage, "'", s.text(),
         "': alpha and path both say how long a step is, expected one of them");
  // At eps 0 every step is projected back: its length is immaterial.
  const bool relative = s.has("path") && eps > 0 && p.steps > 0;
  p.alpha = relative ? s.number("path", 0) * eps / static_cast<double>(p.steps) : s.number("alpha", p.alpha);
  p.restarts = s.integer("restarts", p.restarts);
  read_start(s, p);
  read_keep(s, p);
  read_loss(s, p);
  return p;
}

/// One step of length `step` eps; at eps 0 it is projected back, and its length is immaterial.
PgdSpec one_step(Norm norm, double eps, double step) {
  PgdSpec p = defaults(norm);
  p.eps = eps;
  p.alpha = eps > 0 ? step * eps : 1;
  p.steps = 1;
  return p;
}

PgdSpec read_fgsm(const Spec& s, double eps) {
  s.allow({"norm", "eps", "target", "sparsity", "seed"});
  PgdSpec p = one_step(norm_of(s), eps, 1);
  p.start = Start::clean;
  return p;
}

PgdSpec read_fgsm_rs(const Spec& s, double eps) {
  s.allow({"norm", "eps", "alpha", "target", "seed"});
  PgdSpec p = one_step(parse_norm(s, {Norm::linf}), eps, kFgsmRsStep);
  p.alpha = s.number("alpha", p.alpha);
  return p;
}

/// Kurakin et al.: min(255 eps + 4, 1.25 * 255 eps) steps.
std::int64_t bim_steps(double eps) {
  const double grey_levels = 255 * eps;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(grey_levels + 4, 1.25 * grey_levels)));
}

PgdSpec read_bim(const Spec& s, double eps) {
  s.allow({"norm", "eps", "alpha", "steps", "target", "loss", "sparsity", "seed"});
  PgdSpec p = defaults(norm_of(s));
  p.eps = eps;
  p.alpha = s.number("alpha", p.alpha);
  p.steps = s.integer("steps", p.steps);
  if (p.steps == 0) p.steps = bim_steps(eps);
  p.start = Start::clean;
  read_loss(s, p);
  return p;
}

PgdSpec read_mifgsm(const Spec& s, double eps) {
  s.allow({"norm", "eps", "alpha", "steps", "decay", "target", "loss", "sparsity", "seed"});
  PgdSpec p = defaults(norm_of(s));
  p.eps = eps;
  p.alpha = s.number("alpha", p.alpha);
  p.steps = s.integer("steps", p.steps);
  p.start = Start::clean;
  p.momentum = s.number("decay", kMifgsmDecay);
  read_loss(s, p);
  return p;
}

std::string start_word(Start start) {
  switch (start) {
    case Start::clean:
      return "0";
    case Start::uniform:
      return "1";
    case Start::sphere:
      return "sphere";
    case Start::normal:
      break;
  }
  return "normal";
}

/// "" for the cross-entropy, which is what a spec means that does not say.
std::string loss_key(AttackLoss loss) {
  switch (loss) {
    case AttackLoss::cross_entropy:
      return "";
    case AttackLoss::divergence:
      return ",loss=kl";
    case AttackLoss::margin:
      return ",loss=margin";
    case AttackLoss::dlr:
      break;
  }
  return ",loss=dlr";
}

}  // namespace

PgdSpec parse_pgd_spec(const Spec& s, double eps) {
  PgdSpec p = s.name() == "fgsm"      ? read_fgsm(s, eps)
              : s.name() == "fgsm-rs" ? read_fgsm_rs(s, eps)
              : s.name() == "bim"     ? read_bim(s, eps)
              : s.name() == "mifgsm"  ? read_mifgsm(s, eps)
                                      : read_pgd(s, eps);
  p.target = parse_target(s);
  read_sparsity(s, p);
  return p;
}

double usual_pgd_eps(const Spec& s) {
  return defaults(norm_of(s)).eps;
}

void check_pgd_spec(const PgdSpec& spec, const std::string& name) {
  const auto want = [&](bool good, const char* field, double value, const char* expected) {
    if (!good) refuse_field(name, field, value, expected);
  };
  check_ball(name, spec.norm, spec.eps);
  want(std::isfinite(spec.alpha) && spec.alpha > 0, "alpha", spec.alpha, "a positive number");
  want(spec.steps >= 1, "steps", static_cast<double>(spec.steps), "at least 1");
  want(spec.restarts >= 1, "restarts", static_cast<double>(spec.restarts), "at least 1");
  want(std::isfinite(spec.momentum) && spec.momentum >= 0, "decay", spec.momentum, "0 or more");
  want(spec.sparsity >= 0 && spec.sparsity < 1, "sparsity", spec.sparsity, "0 or more and below 1");
  if (spec.restarts > 1 && spec.start == Start::clean)
    fail(ErrorKind::usage, name, ": ", spec.restarts,
         " restarts from the same clean image would all be one; "
         "expected random_start=1");
  if (spec.start == Start::sphere && spec.norm != Norm::l2)
    fail(ErrorKind::usage, name, ": a start on the sphere needs norm=l2");
  if (spec.loss != AttackLoss::divergence) return;
  if (spec.start == Start::clean)
    fail(ErrorKind::usage, name, ": the gradient of loss=kl is zero at the image itself; expected a random ",
         "start: random_start=1, sphere or normal");
  if (spec.target.targeted)
    fail(ErrorKind::usage, name,
         ": loss=kl leads away from the image's answer, whatever that is; expected no ",
         "target, or loss=ce");
}

std::string to_string(const PgdSpec& spec, const std::string& name) {
  const bool pgd = name == "pgd", iterates = name != "fgsm" && name != "fgsm-rs";
  std::string text = name + ":norm=" + to_string(spec.norm) + ",eps=" + format_number(spec.eps);
  if (iterates) text += ",steps=" + std::to_string(spec.steps);
  if (name != "fgsm") text += ",alpha=" + format_number(spec.alpha);
  if (name == "mifgsm") text += ",decay=" + format_number(spec.momentum);
  if (pgd)
    text += ",random_start=" + start_word(spec.start) + ",restarts=" + std::to_string(spec.restarts) +
            ",keep=" + (spec.iterate == Iterate::last ? "last" : "best");
  if (iterates) text += loss_key(spec.loss);
  if (spec.norm == Norm::l1) text += ",sparsity=" + format_number(spec.sparsity);
  if (spec.target.targeted) text += ",target=" + to_string(spec.target);
  return text;
}

}  // namespace inocula::attacks
