// The attacks by name.
#include "attacks/registry.h"

#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "attacks/fab.h"
#include "attacks/spec_keys.h"
#include "attacks/square.h"
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

/// One stage, which is made anew each time it is asked for.
template <class Attack>
std::function<std::vector<Stage>(std::int64_t)> one_stage(const Attack& attack) {
  return [attack](std::int64_t) {
    std::vector<Stage> stages;
    stages.push_back({std::make_unique<Attack>(attack)});
    return stages;
  };
}

/// An attack of one stage.
template <class Attack, class AttackSpec>
NamedAttack single(const Attack& attack, const AttackSpec& spec) {
  return {.canonical = attack.spec(),
          .eps = spec.eps,
          .norm = spec.norm,
          .steps = spec.steps,
          .seed = {},
          .stages = one_stage(attack)};
}

NamedAttack make_pgd(const Spec& s, double eps) {
  const PgdSpec p = parse_pgd_spec(s, eps);
  return single(Pgd(p, s.name()), p);
}

NamedAttack make_fab(const Spec& s, double eps) {
  const FabSpec f = parse_fab_spec(s, eps);
  return single(Fab(f), f);
}

NamedAttack make_square(const Spec& s, double eps) {
  const SquareSpec q = parse_square_spec(s, eps);
  const Square square(q);
  return {.canonical = square.spec(),
          .eps = q.eps,
          .norm = q.norm,
          .steps = q.queries,
          .seed = {},
          .stages = one_stage(square)};
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
    {"fab", usual_fab_eps, make_fab,
     "fab:norm=linf|l2|l1,eps=8/255,steps=100,alpha_max=0.1,eta=1.05,beta=0.9\n"
     "    the nearest image by steps between the boundaries of all classes and the image; with norm=l2 "
     "eps=1, "
     "with norm=l1 12;\n"
     "    eps=inf takes it however far it is\n"},
    {"fab-t", usual_fab_eps, make_fab,
     "fab-t:norm=linf|l2|l1,eps=8/255,steps=100,alpha_max=0.1,eta=1.05,beta=0.9,target=likely1\n"
     "    the same along the boundary of one class, with one gradient a step rather than one for each "
     "class\n"},
    {"square", usual_square_eps, make_square,
     "square:norm=linf|l2,eps=8/255,queries=5000,p=0.8,rescale=0|1\n"
     "    a random search over squares that asks for logits alone; with norm=l2 eps=1; rescale=1 shrinks the "
     "squares\n"
     "    over these queries as the paper does over 10000\n"},
};

const Entry& find_entry(const Spec& s) {
  std::string names;
  for (const Entry& e : kEntries) {
    if (s.name() == e.name) return e;
    names += std::string(names.empty() ? "" : ", ") + e.name;
  }
  fail(ErrorKind::usage, "'", s.text(), "': unknown attack '", s.name(), "', expected one of: ", names);
}

/// "eps": a list of numbers, or "inf", which most attacks refuse.
std::vector<double> read_eps(const Spec& s, double usual) {
  if (s.word("eps", "") == "inf") return {std::numeric_limits<double>::infinity()};
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
