// The attacks by name.
#include "attacks/registry.h"

#include <string>
#include <utility>

#include "engine/error.h"
#include "engine/spec.h"

namespace inocula::attacks {

namespace {

Target parse_target(const Spec& s) {
  Target t;
  if (!s.has("target")) return t;
  t.targeted = true;
  const std::string word = s.word("target", "");
  if (word == "least_likely") {
    t.rule = TargetRule::least_likely;
  } else if (word == "random") {
    t.rule = TargetRule::random;
  } else {
    if (word.size() > 9 || word.find_first_not_of("0123456789") != std::string::npos)
      fail(ErrorKind::usage, "'", s.text(), "': target=", word,
           ", expected a class number, least_likely or random");
    t.given = static_cast<std::int32_t>(s.integer("target", 0));
  }
  return t;
}

Norm parse_norm(const Spec& s) {
  const std::string word = s.word("norm", "linf");
  if (word == "linf") return Norm::linf;
  if (word == "l2") return Norm::l2;
  fail(ErrorKind::usage, "'", s.text(), "': norm=", word, ", expected linf or l2");
}

std::optional<std::uint64_t> parse_seed(const Spec& s) {
  if (!s.has("seed")) return std::nullopt;
  const std::int64_t seed = s.integer("seed", 0);
  if (seed < 0) fail(ErrorKind::usage, "'", s.text(), "': seed=", seed, ", expected 0 or more");
  return static_cast<std::uint64_t>(seed);
}

/// torchattacks' defaults: eps 8/255 and alpha 2/255 for L-infinity, 1.0 and 0.2 for L2.
PgdSpec defaults(Norm norm) {
  PgdSpec p;
  p.norm = norm;
  if (norm == Norm::l2) p.eps = 1.0, p.alpha = 0.2;
  return p;
}

PgdSpec pgd_from(const Spec& s, double eps) {
  s.allow({"norm", "eps", "alpha", "path", "steps", "restarts", "random_start", "target", "keep", "loss",
           "seed"});
  PgdSpec p = defaults(parse_norm(s));
  p.eps = eps;
  p.steps = s.integer("steps", p.steps);
  if (s.has("path") && s.has("alpha"))
    fail(ErrorKind::usage, "'", s.text(),
         "': alpha and path both say how long a step is, expected one of them");
  // At eps 0 every step is projected back: its length is immaterial.
  const bool relative = s.has("path") && eps > 0 && p.steps > 0;
  p.alpha = relative ? s.number("path", 0) * eps / static_cast<double>(p.steps) : s.number("alpha", p.alpha);
  p.restarts = s.integer("restarts", p.restarts);
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
  const std::string keep = s.word("keep", "last");
  if (keep != "last" && keep != "best")
    fail(ErrorKind::usage, "'", s.text(), "': keep=", keep, ", expected last or best");
  p.iterate = keep == "last" ? Iterate::last : Iterate::best;
  p.target = parse_target(s);
  const std::string loss = s.word("loss", "ce");
  if (loss != "ce" && loss != "kl")
    fail(ErrorKind::usage, "'", s.text(), "': loss=", loss, ", expected ce or kl");
  p.loss = loss == "ce" ? AttackLoss::cross_entropy : AttackLoss::divergence;
  return p;
}

PgdSpec fgsm_from(const Spec& s, double eps) {
  s.allow({"norm", "eps", "target", "seed"});
  PgdSpec p = defaults(parse_norm(s));
  p.eps = eps;
  p.alpha = eps > 0 ? eps : 1;  // at eps 0 every step is projected back: its length is immaterial
  p.steps = 1;
  p.start = Start::clean;
  p.target = parse_target(s);
  return p;
}

PgdSpec spec_from(const Spec& s, double eps) {
  if (s.name() == "pgd") return pgd_from(s, eps);
  if (s.name() == "fgsm") return fgsm_from(s, eps);
  fail(ErrorKind::usage, "'", s.text(), "': unknown attack '", s.name(), "', expected one of: fgsm, pgd");
}

}  // namespace

std::string NamedAttack::spec() const {
  return perturbation->spec() + (seed ? ",seed=" + std::to_string(*seed) : "");
}

std::vector<NamedAttack> parse_attacks(const std::string& text) {
  const Spec s = Spec::parse(text);
  std::vector<NamedAttack> list;
  for (const double eps : s.numbers("eps", defaults(parse_norm(s)).eps)) {
    const PgdSpec p = spec_from(s, eps);
    list.push_back({std::make_unique<Pgd>(p, s.name()), p.eps, p.norm, p.steps, parse_seed(s)});
  }
  return list;
}

PgdSpec parse_pgd(const std::string& text) {
  const Spec s = Spec::parse(text);
  const std::vector<double> eps = s.numbers("eps", defaults(parse_norm(s)).eps);
  if (eps.size() != 1) fail(ErrorKind::usage, "'", text, "': ", eps.size(), " values of eps, expected one");
  return spec_from(s, eps[0]);
}

std::string list_attacks() {
  return "fgsm:norm=linf|l2,eps=8/255,target=none\n"
         "    one step of length eps along the gradient's sign (L2: direction)\n"
         "pgd:norm=linf|l2,eps=8/255,alpha=2/255,steps=10,random_start=1|0|sphere|normal,"
         "restarts=1,keep=last|best,loss=ce|kl,target=none\n"
         "    projected gradient descent; with norm=l2 eps=1, alpha=0.2; path=2.5 in place of alpha makes "
         "the steps 2.5 eps long together;\n"
         "    loss=kl climbs the divergence from the answer to the image itself (TRADES) rather than the "
         "cross-entropy\n"
         "target is a class number, least_likely or random; eps may be a list such as 1/255;2/255;4/255;\n"
         "seed=N takes the random numbers of another seed than --seed\n";
}

}  // namespace inocula::attacks
