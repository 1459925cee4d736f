// The attacks by name.
#include "attacks/registry.h"

#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "attacks/cw.h"
#include "attacks/deepfool.h"
#include "attacks/jsma.h"
#include "attacks/spec_keys.h"
#include "engine/error.h"
#include "engine/spec.h"

namespace inocula::attacks {

namespace {

/// What there is of one name.
struct Entry {
  const char* name;
  /// The radius of a spec that does not give one.
  double (*usual_eps)(const Spec& s);
  NamedAttack (*make)(const Spec& s, double eps);
  /// Its keys with their defaults, and what it does.
  const char* usage;
};

/// An attack of one stage, which is made anew each time it is asked for.
template <class Attack, class AttackSpec>
NamedAttack single(const Attack& attack, const AttackSpec& spec) {
  return {.canonical = attack.spec(),
          .eps = spec.eps,
          .norm = spec.norm,
          .steps = spec.steps,
          .seed = {},
          .stages = [attack](std::int64_t) {
            std::vector<Stage> stages;
            stages.push_back({std::make_unique<Attack>(attack)});
            return stages;
          }};
}

NamedAttack make_pgd(const Spec& s, double eps) {
  const PgdSpec p = parse_pgd_spec(s, eps);
  return single(Pgd(p, s.name()), p);
}

/// Of attacks that look for the nearest image: however far.
double no_eps(const Spec&) {
  return std::numeric_limits<double>::infinity();
}

NamedAttack make_deepfool(const Spec& s, double eps) {
  const DeepFoolSpec p = parse_deepfool_spec(s, eps);
  return single(DeepFool(p), p);
}

NamedAttack make_cw(const Spec& s, double eps) {
  const CwSpec p = parse_cw_spec(s, eps);
  NamedAttack attack = single(Cw(p), p);
  attack.steps = p.search * p.steps;
  return attack;
}

NamedAttack make_jsma(const Spec& s, double eps) {
  const JsmaSpec p = parse_jsma_spec(s, eps);
  const Jsma jsma(p);
  return single(jsma, p);
}

const Entry kEntries[] = {
    {"fgsm", usual_pgd_eps, make_pgd,
     "fgsm:norm=linf|l2,eps=8/255,target=none\n"
     "    one step of length eps along the gradient's sign (L2: direction)\n"},
    {"fgsm-rs", usual_pgd_eps, make_pgd,
     "fgsm-rs:eps=8/255,alpha=1.25*eps,target=none\n"
     "    the same step from a random start\n"},
    {"bim", usual_pgd_eps, make_pgd,
     "bim:norm=linf|l2,eps=8/255,alpha=2/255,steps=10,loss=ce|margin|dlr,target=none\n"
     "    several steps from the image; steps=0 takes the paper's number for this eps\n"},
    {"pgd", usual_pgd_eps, make_pgd,
     "pgd:norm=linf|l2,eps=8/255,alpha=2/255,steps=10,random_start=1|0|sphere|normal,"
     "restarts=1,keep=last|best,loss=ce|kl|margin|dlr,target=none\n"
     "    projected gradient descent; with norm=l2 eps=1, alpha=0.2; path=2.5 in place of alpha makes "
     "the steps 2.5 eps long together;\n"
     "    loss=kl climbs the divergence from the answer to the image itself (TRADES) rather than the "
     "cross-entropy\n"},
    {"mifgsm", usual_pgd_eps, make_pgd,
     "mifgsm:norm=linf|l2,eps=8/255,alpha=2/255,steps=10,decay=1,loss=ce|margin|dlr,target=none\n"
     "    the iterated step with momentum\n"},
    {"deepfool", no_eps, make_deepfool,
     "deepfool:norm=l2|linf,eps=inf,steps=50,overshoot=0.02,classes=10\n"
     "    the nearest image by steps onto the boundaries of the linearised network, between so many of the "
     "likeliest classes\n"},
    {"cw", no_eps, make_cw,
     "cw:eps=inf,steps=1000,search=9,c=0.001,confidence=0,lr=0.01,target=none\n"
     "    the nearest image in L2 by minimisation, in as many rounds as search says\n"},
    {"jsma", no_eps, make_jsma,
     "jsma:eps=inf,theta=1,gamma=0.145,target=likely1,pairs=1|0\n"
     "    few values, changed by theta, at most a share gamma of all; eps bounds their number\n"},
};

const Entry& find_entry(const Spec& s) {
  std::string names;
  for (const Entry& e : kEntries) {
    if (s.name() == e.name) return e;
    names += std::string(names.empty() ? "" : ", ") + e.name;
  }
  fail(ErrorKind::usage, "'", s.text(), "': unknown attack '", s.name(), "', expected one of: ", names);
}

/// "eps": a list of numbers, or, where that is what the attack usually does, "inf".
std::vector<double> read_eps(const Spec& s, double usual) {
  if (std::isinf(usual) && s.word("eps", "") == "inf") return {usual};
  return s.numbers("eps", usual);
}

}  // namespace

std::string NamedAttack::spec() const {
  return canonical + (seed ? ",seed=" + std::to_string(*seed) : "");
}

std::vector<NamedAttack> parse_attacks(const std::string& text) {
  const Spec s = Spec::parse(text);
  const Entry& entry = find_entry(s);
  std::vector<NamedAttack> list;
  for (const double eps : read_eps(s, entry.usual_eps(s))) {
    list.push_back(entry.make(s, eps));
    list.back().seed = parse_seed(s);
  }
  return list;
}

PgdSpec parse_pgd(const std::string& text) {
  const Spec s = Spec::parse(text);
  if (find_entry(s).make != make_pgd)
    fail(ErrorKind::usage, "'", text, "': expected pgd or one of its relatives");
  const std::vector<double> eps = s.numbers("eps", usual_pgd_eps(s));
  if (eps.size() != 1) fail(ErrorKind::usage, "'", text, "': ", eps.size(), " values of eps, expected one");
  return parse_pgd_spec(s, eps[0]);
}

std::string list_attacks() {
  std::string text;
  for (const Entry& e : kEntries) text += e.usage;
  return text +
         "target is a class number, least_likely, random, next (the label's successor) or likelyN (the N-th "
         "likeliest of the others);\n"
         "eps may be a list such as 1/255;2/255;4/255; seed=N takes the random numbers of another seed than "
         "--seed\n";
}

}  // namespace inocula::attacks
