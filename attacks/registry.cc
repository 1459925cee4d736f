// The attacks by name.
#include "attacks/registry.h"

#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "attacks/cw.h"
#include "attacks/deepfool.h"
#include "attacks/ensemble.h"
#include "attacks/jsma.h"
#include "attacks/noise.h"
#include "attacks/parts/spec_keys.h"
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
  /// Short runs that reach all its kernels, one for each of its norms; blanks between them.
  const char* samples;
  bool sees_gradients = true;
};

/// Throws Error (usage) where a network of so many classes has no such target, or not this loss.
template <class Attack, class AttackSpec>
void check_classes(const Attack& attack, const AttackSpec& spec, std::int64_t classes) {
  const std::string text = attack.spec(), name = text.substr(0, text.find(':'));
  if constexpr (requires { spec.target; }) {
    check_target(spec.target, classes, name);
    if constexpr (requires { spec.loss; }) check_loss(spec.loss, spec.target.targeted, classes, name);
  }
}

/// An attack of one stage, which is made anew each time it is asked for.
template <class Attack, class AttackSpec>
NamedAttack single(const Attack& attack, const AttackSpec& spec) {
  return {.canonical = attack.spec(),
          .eps = spec.eps,
          .norm = spec.norm,
          .steps = spec.steps,
          .seed = {},
          .stages = [attack, spec](std::int64_t classes) {
            check_classes(attack, spec, classes);
            std::vector<Stage> stages;
            stages.push_back({std::make_unique<Attack>(attack)});
            return stages;
          }};
}

/// The same of an attack that leaves images alone that are wrong already.
template <class Attack, class AttackSpec>
NamedAttack for_right_ones(const Attack& attack, const AttackSpec& spec) {
  NamedAttack named = single(attack, spec);
  named.stages = [attack, spec](std::int64_t classes) {
    check_classes(attack, spec, classes);
    return restarted(attack, 1);
  };
  return named;
}

constexpr std::int64_t kMostRestarts = 1000;

/// "loss" of an attack with a target.
AttackLoss parse_margin(const Spec& s) {
  const std::string word = s.word("loss", "dlr");
  if (word != "dlr" && word != "margin")
    fail(ErrorKind::usage, "'", s.text(), "': loss=", word, ", expected dlr or margin");
  return word == "dlr" ? AttackLoss::dlr : AttackLoss::margin;
}

NamedAttack make_pgd(const Spec& s, double eps) {
  const PgdSpec p = parse_pgd_spec(s, eps);
  return single(Pgd(p, s.name()), p);
}

/// With the spec's restarts.
template <class Attack, class AttackSpec>
NamedAttack with_restarts(const Attack& attack, const AttackSpec& spec, std::int64_t steps, const Spec& s) {
  const std::int64_t restarts = s.integer("restarts", 1, 1, kMostRestarts);
  return {.canonical = attack.spec() + ",restarts=" + std::to_string(restarts),
          .eps = spec.eps,
          .norm = spec.norm,
          .steps = steps,
          .seed = {},
          .stages = [attack, spec, restarts](std::int64_t classes) {
            check_classes(attack, spec, classes);
            return restarted(attack, restarts);
          }};
}

/// An attack towards the spec's target, or, without one, towards each of the likeliest other classes in turn:
/// `stages_of` makes those from their number, the restarts and the classes.
template <class StagesOf>
NamedAttack with_targets(NamedAttack attack, const Spec& s, const StagesOf& stages_of) {
  if (s.has("target") && s.has("targets"))
    fail(ErrorKind::usage, "'", s.text(), "': target and targets exclude each other, expected one of them");
  if (s.has("target")) return attack;
  const std::int64_t targets = s.integer("targets", kMostTargets, 1);
  const std::int64_t restarts = s.integer("restarts", 1, 1, kMostRestarts);
  // What stands for the targets in the spec of one stage.
  const std::size_t single = attack.canonical.find(",target=");
  if (single != std::string::npos)
    attack.canonical.erase(single, attack.canonical.find(',', single + 1) - single);
  attack.canonical += ",targets=" + std::to_string(targets);
  attack.stages = [stages_of, targets, restarts](std::int64_t classes) {
    return stages_of(targets, restarts, classes);
  };
  return attack;
}

NamedAttack make_apgd(const Spec& s, double eps) {
  const bool targeted = s.name() == "apgd-t";
  if (targeted)
    s.allow({"norm", "eps", "steps", "rho", "restarts", "targets", "target", "loss", "seed"});
  else
    s.allow({"norm", "eps", "steps", "rho", "restarts", "seed"});
  ApgdSpec p;
  p.norm = parse_norm(s, {Norm::linf, Norm::l2, Norm::l1});
  if (p.norm == Norm::l1 && s.has("rho"))
    fail(ErrorKind::usage, "'", s.text(), "': steps in L1 have no rho, expected norm=linf or l2");
  p.eps = eps;
  p.steps = s.integer("steps", p.steps);
  p.rho = s.number("rho", p.rho);
  if (s.name() == "apgd-dlr") p.loss = AttackLoss::dlr;
  if (s.has("target")) {
    p.loss = parse_margin(s);
    p.target = parse_target(s);
  } else if (s.has("loss")) {
    fail(ErrorKind::usage, "'", s.text(), "': loss belongs to a single target, expected target=");
  }
  NamedAttack a = with_restarts(Apgd(p, s.name()), p, p.steps, s);
  if (s.has("target") && !s.has("loss")) {
    const std::string loss = ",loss=dlr";
    a.canonical.erase(a.canonical.find(loss), loss.size());
    a.stages = [p, s](std::int64_t classes) {
      ApgdSpec of_classes = p;
      of_classes.loss = targeted_loss(classes);
      return with_restarts(Apgd(of_classes, s.name()), of_classes, p.steps, s).stages(classes);
    };
  }
  return targeted
             ? with_targets(std::move(a), s, [p](auto... how) { return apgd_targeted_stages(p, how...); })
             : a;
}

/// Of attacks that look for the nearest image: however far.
double no_eps(const Spec&) {
  return std::numeric_limits<double>::infinity();
}

NamedAttack make_deepfool(const Spec& s, double eps) {
  const DeepFoolSpec p = parse_deepfool_spec(s, eps);
  return for_right_ones(DeepFool(p), p);
}

NamedAttack make_cw(const Spec& s, double eps) {
  const CwSpec p = parse_cw_spec(s, eps);
  NamedAttack attack = for_right_ones(Cw(p), p);
  attack.steps = p.search * p.steps;
  return attack;
}

NamedAttack make_jsma(const Spec& s, double eps) {
  const JsmaSpec p = parse_jsma_spec(s, eps);
  return for_right_ones(Jsma(p), p);
}

NamedAttack make_fab(const Spec& s, double eps) {
  const FabSpec f = parse_fab_spec(s, eps);
  NamedAttack a = with_restarts(Fab(f), f, f.steps, s);
  a.stages = [f, restarts = s.integer("restarts", 1)](std::int64_t classes) {
    check_classes(Fab(f), f, classes);
    return fab_stages(f, restarts);
  };
  return s.name() == "fab-t"
             ? with_targets(std::move(a), s, [f](auto... how) { return fab_targeted_stages(f, how...); })
             : a;
}

NamedAttack make_square(const Spec& s, double eps) {
  const SquareSpec q = parse_square_spec(s, eps);
  return with_restarts(Square(q), q, q.queries, s);
}

NamedAttack make_noise(const Spec& s, double eps) {
  s.allow({"norm", "eps", "ssim", "restarts", "seed"});
  NoiseSpec p{.norm = s.has("ssim") ? parse_norm(s, {Norm::linf, Norm::l2})
                                    : parse_norm(s, {Norm::linf, Norm::l2, Norm::l1}),
              .eps = eps};
  if (s.has("ssim")) {
    if (s.has("eps"))
      fail(ErrorKind::usage, "'", s.text(),
           "': eps and ssim both say how strong the noise is, expected one of them");
    p.eps = std::numeric_limits<double>::infinity();
    p.ssim = s.number("ssim", 0);
    // 0 stands for no similarity that is asked for.
    if (p.ssim == 0) refuse_field("noise", "ssim", 0, "a similarity above 0 and below 1");
  }
  return with_restarts(RandomNoise(p), p, 1, s);
}

AutoAttackVersion parse_version(const Spec& s) {
  const std::string word = s.word("version", "standard");
  if (word == "standard") return AutoAttackVersion::standard;
  if (word == "plus") return AutoAttackVersion::plus;
  if (word == "rand") return AutoAttackVersion::rand;
  fail(ErrorKind::usage, "'", s.text(), "': version=", word, ", expected standard, plus or rand");
}

NamedAttack make_ensemble(const Spec& s, double eps) {
  const bool any_classes = s.name() == "aa-k";
  if (any_classes)
    s.allow({"norm", "eps", "steps", "queries", "square", "seed"});
  else
    s.allow({"version", "norm", "eps", "steps", "queries", "square", "seed"});
  const AutoAttackVersion version = parse_version(s);
  EnsembleSpec e;
  e.norm = parse_norm(s, {Norm::linf, Norm::l2, Norm::l1});
  e.eps = eps;
  e.steps = s.integer("steps", e.steps, 1);
  e.queries = s.integer("queries", e.queries, 1);
  const bool searches = e.norm != Norm::l1;
  if (s.integer("square", searches ? 1 : 0, 0, 1) != (searches ? 1 : 0))
    fail(ErrorKind::usage, "'", s.text(), "': square=", searches ? 0 : 1, ", expected ", searches ? 1 : 0,
         searches ? ", as the ensemble has it" : ": there is no Square attack in L1");
  if (!searches && s.has("queries"))
    fail(ErrorKind::usage, "'", s.text(), "': queries are those of the Square attack, which is not in L1");
  check_ball(s.name(), e.norm, e.eps);
  return {.canonical = s.name() + ":" +
                       (any_classes ? "" : "version=" + s.word("version", "standard") + ",") +
                       "norm=" + to_string(e.norm) + ",eps=" + format_number(e.eps) +
                       ",steps=" + std::to_string(e.steps) +
                       // A name that says what is missing: not to be taken for the authors' ensemble.
                       (searches ? ",queries=" + std::to_string(e.queries) : ",square=0"),
          .eps = eps,
          .norm = e.norm,
          .steps = e.steps,
          .seed = {},
          .ensemble = true,
          .stages = [e, version, any_classes](std::int64_t classes) {
            return any_classes ? aa_k_stages(e, classes) : autoattack_stages(e, version, classes);
          }};
}

const Entry kEntries[] = {
    {"fgsm", usual_pgd_eps, make_pgd,
     "fgsm:norm=linf|l2|l1,eps=8/255,target=none\n"
     "    one step of length eps along the gradient's sign (L2: direction; L1: sign of the largest, as of "
     "pgd)\n",
     "fgsm:eps=4/255 fgsm:norm=l2,eps=0.5"},
    {"fgsm-rs", usual_pgd_eps, make_pgd,
     "fgsm-rs:eps=8/255,alpha=1.25*eps,target=none\n"
     "    the same step from a random start\n",
     "fgsm-rs:eps=4/255"},
    {"bim", usual_pgd_eps, make_pgd,
     "bim:norm=linf|l2|l1,eps=8/255,alpha=2/255,steps=10,loss=ce|margin|dlr,target=none\n"
     "    several steps from the image; steps=0 takes the paper's number for this eps\n",
     "bim:eps=4/255,steps=3"},
    {"pgd", usual_pgd_eps, make_pgd,
     "pgd:norm=linf|l2|l1,eps=8/255,alpha=2/255,steps=10,random_start=1|0|sphere|normal,"
     "restarts=1,keep=last|best,loss=ce|kl|margin|dlr,target=none\n"
     "    projected gradient descent; with norm=l2 eps=1, alpha=0.2; with norm=l1 eps=12, alpha=2.4, and "
     "sparsity=0.99 of the\n"
     "    values stay where they are in a step; path=2.5 in place of alpha makes "
     "the steps 2.5 eps long together;\n"
     "    loss=kl climbs the divergence from the answer to the image itself (TRADES) rather than the "
     "cross-entropy\n",
     "pgd:eps=4/255,steps=5 pgd:norm=l2,eps=0.5,alpha=0.1,steps=5,keep=best "
     "pgd:norm=l1,eps=5,steps=5,restarts=2"},
    {"mifgsm", usual_pgd_eps, make_pgd,
     "mifgsm:norm=linf|l2|l1,eps=8/255,alpha=2/255,steps=10,decay=1,loss=ce|margin|dlr,target=none\n"
     "    the iterated step with momentum\n",
     "mifgsm:eps=4/255,steps=3"},
    {"apgd-ce", usual_pgd_eps, make_apgd,
     "apgd-ce:norm=linf|l2|l1,eps=8/255,steps=100,rho=0.75,restarts=1\n"
     "    Auto-PGD on the cross-entropy; restarts see the images that those before left right; with norm=l1 "
     "eps=12 and no rho\n",
     "apgd-ce:eps=4/255,steps=10 apgd-ce:norm=l2,eps=0.5,steps=10 apgd-ce:norm=l1,eps=5,steps=10"},
    {"apgd-dlr", usual_pgd_eps, make_apgd,
     "apgd-dlr:norm=linf|l2|l1,eps=8/255,steps=100,rho=0.75,restarts=1\n"
     "    Auto-PGD on the difference of logits ratio; at least 3 classes\n",
     "apgd-dlr:eps=4/255,steps=5"},
    {"apgd-t", usual_pgd_eps, make_apgd,
     "apgd-t:norm=linf|l2|l1,eps=8/255,steps=100,rho=0.75,restarts=1,targets=9\n"
     "    Auto-PGD towards each of the likeliest other classes in turn, with the targeted DLR or, below 4 "
     "classes, "
     "the margin;\n"
     "    target=3 in place of targets takes one, with loss=dlr|margin the loss that is said\n",
     "apgd-t:eps=4/255,steps=5,targets=2"},
    {"autoattack", usual_pgd_eps, make_ensemble,
     "autoattack:version=standard|plus|rand,norm=linf|l2|l1,eps=8/255,steps=100,queries=5000\n"
     "    Croce and Hein's ensemble, each attack on what those before it left; at least 10 classes; with "
     "norm=l1 eps=12,\n"
     "    5 restarts of apgd-ce, 5 targets of apgd-t, and no Square, which the row's name says by "
     "square=0\n",
     "autoattack:eps=1/255,steps=3,queries=5"},
    {"aa-k", usual_pgd_eps, make_ensemble,
     "aa-k:norm=linf|l2|l1,eps=8/255,steps=100,queries=5000\n"
     "    the same for any number of classes, and the same as standard from 10 on\n",
     "aa-k:norm=l2,eps=0.1,steps=3,queries=5"},
    {"noise", usual_pgd_eps, make_noise,
     "noise:norm=linf|l2|l1,eps=8/255,restarts=1\n"
     "    random noise, uniform in the L-infinity or L1 ball or on the L2 sphere: what an attack has to "
     "beat; ssim=0.95 in\n"
     "    place of eps: uniform or normal, of the strength that leaves each image this similarity\n",
     "noise:eps=4/255 noise:norm=l2,eps=0.5 noise:norm=l1,eps=5 noise:ssim=0.95",
     /*sees_gradients=*/false},
    {"deepfool", no_eps, make_deepfool,
     "deepfool:norm=l2|linf,eps=inf,steps=50,overshoot=0.02,classes=10\n"
     "    the nearest image by steps onto the boundaries of the linearised network, between so many of the "
     "likeliest classes\n",
     "deepfool:steps=5,classes=3 deepfool:norm=linf,steps=5,classes=3"},
    {"cw", no_eps, make_cw,
     "cw:eps=inf,steps=1000,search=9,c=0.001,confidence=0,lr=0.01,abort_early=1|0,target=none\n"
     "    the nearest image in L2 by minimisation, in as many rounds as search says\n",
     "cw:steps=10,search=2,c=100,lr=0.05"},
    {"jsma", no_eps, make_jsma,
     "jsma:eps=inf,theta=1,gamma=0.145,target=likely1,pairs=1|0\n"
     "    few values, changed by theta, at most a share gamma of all; eps bounds their number\n",
     "jsma:gamma=0.1 jsma:gamma=0.1,pairs=0"},
    {"fab", usual_fab_eps, make_fab,
     "fab:norm=linf|l2|l1,eps=8/255,steps=100,alpha_max=0.1,eta=1.05,beta=0.9,restarts=1\n"
     "    the nearest image by steps between the boundaries of all classes and the image; with norm=l2 "
     "eps=1, "
     "with norm=l1 12;\n"
     "    eps=inf takes it however far it is\n",
     "fab:eps=inf,steps=10 fab:norm=l2,eps=inf,steps=10 fab:norm=l1,eps=inf,steps=30"},
    {"fab-t", usual_fab_eps, make_fab,
     "fab-t:norm=linf|l2|l1,eps=8/255,steps=100,alpha_max=0.1,eta=1.05,beta=0.9,restarts=1,targets=9\n"
     "    the same along the boundary of each of the likeliest other classes in turn, with one gradient a "
     "step;\n"
     "    target=3 in place of targets takes one\n",
     "fab-t:eps=inf,steps=10,targets=2"},
    {"square", usual_square_eps, make_square,
     "square:norm=linf|l2,eps=8/255,queries=5000,p=0.8,rescale=0|1,restarts=1\n"
     "    a random search over squares that asks for logits alone; with norm=l2 eps=1; rescale=1 shrinks the "
     "squares\n"
     "    over these queries as the paper does over 10000\n",
     "square:eps=16/255,queries=20 square:norm=l2,eps=1,queries=20",
     /*sees_gradients=*/false},
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
    list.back().untargeted =
        list.back().canonical.find(",target=") == std::string::npos && s.word("loss", "ce") != "kl";
    list.back().sees_gradients = entry.sees_gradients;
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

std::vector<std::string> sample_attacks() {
  std::vector<std::string> all;
  for (const Entry& e : kEntries) {
    std::istringstream words(e.samples);
    for (std::string spec; words >> spec;) all.push_back(spec);
  }
  return all;
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
