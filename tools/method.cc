// From flags to objectives.
#include "tools/method.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "attacks/augmix.h"
#include "attacks/sequence.h"
#include "engine/error.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/consistent.h"
#include "engine/objectives/erm.h"
#include "engine/objectives/free.h"
#include "engine/spec.h"

namespace inocula {

namespace {

constexpr std::int64_t kDefaultSteps = 7, kDefaultReplays = 4;
constexpr double kDefaultJsdWeight = 12, kDefaultBeta = 6;

/// How far the steps of an attack reach together, in radii, where images are augmented: as the authors of
/// RobustAugMix and RTDA take them.
constexpr double kAugmentedPath = 2.5;

/// What one step of FGSM-RS is longer than its ball's radius: 10/255 at 8/255. Wong, Rice, Kolter, ICLR 2020.
constexpr double kFastStep = 1.25;

/// Radius, step length and steps of the authors of TRADES for CIFAR-10.
constexpr double kTradesEps = 0.031, kTradesStep = 0.007;
constexpr std::int64_t kTradesSteps = 10;
/// How far its steps reach together in L2, in radii.
constexpr double kTradesPath = 2;

/// A method that trains, and its flags among those that not every method has.
struct MethodFlags {
  std::string_view method;
  std::vector<std::string_view> flags;

  bool has(std::string_view flag) const { return std::find(flags.begin(), flags.end(), flag) != flags.end(); }
};

const std::vector<MethodFlags>& methods() {
  static const std::vector<MethodFlags> list{
      {"standard", {}},
      {"pgd", {"--norm", "--eps", "--alpha", "--steps", "--random-start", "--attack-bn"}},
      {"fast", {"--norm", "--eps", "--alpha", "--attack-bn"}},
      {"free", {"--norm", "--eps", "--replays"}},
      {"augmix", {"--augmix", "--jsd-weight", "--views"}},
      {"robustaugmix",
       {"--norm", "--eps", "--alpha", "--steps", "--random-start", "--augmix", "--jsd-weight", "--views"}},
      {"rtda", {"--norm", "--eps", "--alpha", "--steps", "--random-start", "--attack-bn", "--augmix"}},
      {"trades", {"--norm", "--eps", "--alpha", "--steps", "--beta", "--views"}},
  };
  return list;
}

/// The training method of this name, or null. bench's evaluation runs the attack of PGD training.
const MethodFlags* find_method(std::string_view name) {
  if (name == "eval") name = "pgd";
  for (const MethodFlags& m : methods())
    if (m.method == name) return &m;
  return nullptr;
}

[[noreturn]] void refuse_method(const MethodOptions& o) {
  fail(ErrorKind::usage, "--method is '", o.method, "', expected ", methods_with(""));
}

/// The flags that not every method has and that were given.
std::vector<std::string_view> given_flags(const MethodOptions& o) {
  std::vector<std::string_view> given;
  if (!o.norm.empty()) given.emplace_back("--norm");
  if (!o.eps.empty()) given.emplace_back("--eps");
  if (!o.alpha.empty()) given.emplace_back("--alpha");
  if (o.steps) given.emplace_back("--steps");
  if (o.replays) given.emplace_back("--replays");
  if (!o.random_start.empty()) given.emplace_back("--random-start");
  if (!o.attack_bn.empty()) given.emplace_back("--attack-bn");
  if (!o.augmix.empty()) given.emplace_back("--augmix");
  if (o.jsd_weight) given.emplace_back("--jsd-weight");
  if (o.beta) given.emplace_back("--beta");
  if (!o.views.empty()) given.emplace_back("--views");
  return given;
}

bool is_clean_evaluation(const MethodOptions& o) {
  return o.method == "eval" && o.steps == 0;
}

/// Throws where a flag was given that the method does not have.
void check_flags(const MethodOptions& o) {
  const MethodFlags* const found = find_method(o.method);
  if (found == nullptr) refuse_method(o);
  for (const std::string_view flag : given_flags(o)) {
    if (is_clean_evaluation(o) && flag != "--steps")
      fail(ErrorKind::usage, flag,
           " describes an attack, but --steps 0 has none; expected --steps of at least 1");
    if (!found->has(flag))
      fail(ErrorKind::usage, flag, " describes what --method ", o.method,
           " does not have; expected --method ", methods_with(flag));
  }
}

/// Whether the method has this flag.
bool has(const MethodOptions& o, std::string_view flag) {
  const MethodFlags* const found = find_method(o.method);
  return found != nullptr && found->has(flag);
}

/// Methods that train on augmented images.
bool augments(const MethodOptions& o) {
  return has(o, "--augmix");
}

bool is_trades(const MethodOptions& o) {
  return o.method == "trades";
}

attacks::Norm parse_norm(const MethodOptions& o) {
  if (!o.norm.empty() && o.norm != "linf" && o.norm != "l2")
    fail(ErrorKind::usage, "--norm is '", o.norm, "', expected linf or l2");
  if (o.norm == "l2" && (o.method == "fast" || o.method == "free"))
    fail(ErrorKind::usage, "--norm is 'l2', but --method ", o.method, " is defined for linf alone; expected ",
         "linf, or --method pgd");
  return o.norm == "l2" ? attacks::Norm::l2 : attacks::Norm::linf;
}

Ball described_ball(const MethodOptions& o) {
  Ball b{parse_norm(o), 0};
  const bool linf = b.norm == attacks::Norm::linf;
  const double usual = !linf ? 1.0 : is_trades(o) ? kTradesEps : 8.0 / 255;
  b.eps = o.eps.empty() ? usual : parse_number(o.eps, "--eps");
  if (!(b.eps > 0)) fail(ErrorKind::usage, "--eps is ", o.eps, ", expected a positive number");
  return b;
}

/// The attack that the flags describe, with every default filled in.
attacks::PgdSpec described_attack(const MethodOptions& o) {
  const Ball ball = described_ball(o);
  attacks::PgdSpec p;
  p.norm = ball.norm;
  p.eps = ball.eps;
  const bool fast = o.method == "fast", linf = p.norm == attacks::Norm::linf;
  p.steps = fast ? 1 : o.steps.value_or(is_trades(o) ? kTradesSteps : kDefaultSteps);
  if (p.steps < 1) fail(ErrorKind::usage, "--steps is ", p.steps, ", expected at least 1");
  p.alpha = !o.alpha.empty() ? parse_number(o.alpha, "--alpha")
            : fast           ? kFastStep * p.eps
            : augments(o)    ? kAugmentedPath * p.eps / static_cast<double>(p.steps)
            : is_trades(o)
                ? p.eps * (linf ? kTradesStep / kTradesEps : kTradesPath / static_cast<double>(p.steps))
            : linf ? p.eps / 4
                   : p.eps / 5;
  if (!(p.alpha > 0)) fail(ErrorKind::usage, "--alpha is ", o.alpha, ", expected a positive number");
  if (!o.random_start.empty() && o.random_start != "true" && o.random_start != "false")
    fail(ErrorKind::usage, "--random-start is '", o.random_start, "', expected true or false");
  // The authors of RobustAugMix begin with a normal direction brought to the ball: on its sphere.
  const bool on_sphere = o.method == "robustaugmix" && !linf;
  p.start = is_trades(o)                ? attacks::Start::normal
            : o.random_start == "false" ? attacks::Start::clean
            : on_sphere                 ? attacks::Start::sphere
                                        : attacks::Start::uniform;
  if (is_trades(o)) p.loss = attacks::AttackLoss::divergence;
  return p;
}

bool attacks_inside(const MethodOptions& o) {
  return has(o, "--alpha") && !is_clean_evaluation(o);
}

attacks::AugMixSpec described_augmix(const MethodOptions& o) {
  return attacks::parse_augmix(o.augmix.empty() ? "augmix" : o.augmix);
}

bool compares_views(const MethodOptions& o) {
  return has(o, "--views");
}

/// The weight of the views' divergence, and its key in config.toml.
std::pair<std::string, double> divergence_weight(const MethodOptions& o) {
  const double weight =
      is_trades(o) ? o.beta.value_or(kDefaultBeta) : o.jsd_weight.value_or(kDefaultJsdWeight);
  if (!(weight >= 0) || !std::isfinite(weight))
    fail(ErrorKind::usage, is_trades(o) ? "--beta" : "--jsd-weight", " is ", weight, ", expected 0 or more");
  return {is_trades(o) ? "beta" : "jsd_weight", weight};
}

/// As a word of --views: how the methods' authors do it, unless told otherwise.
std::string views_word(const MethodOptions& o) {
  if (!o.views.empty() && o.views != "together" && o.views != "one_by_one")
    fail(ErrorKind::usage, "--views is '", o.views, "', expected together or one_by_one");
  return !o.views.empty() ? o.views : o.method == "augmix" ? "together" : "one_by_one";
}

/// What batch norm does while the method attacks, as a word of --attack-bn. Fast training crafts in training
/// mode, as its authors do.
std::string attack_bn_word(const MethodOptions& o) {
  return !o.attack_bn.empty() ? o.attack_bn : o.method == "fast" ? "train" : "eval";
}

void require_training(const MethodOptions& o) {
  if (o.method == "eval") refuse_method(o);  // bench's alone
  o.check();
}

}  // namespace

std::string methods_with(std::string_view flag) {
  std::vector<std::string> names;
  for (const MethodFlags& m : methods())
    if (flag.empty() || m.has(flag)) names.emplace_back(m.method);
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 < names.size() ? ", " : " or ") + names[i];
  return text;
}

Precision parse_precision(const std::string& text) {
  for (const Precision p : {Precision::fp32, Precision::bf16})
    if (text == to_string(p)) return p;
  fail(ErrorKind::usage, "--precision is '", text, "', expected fp32 or bf16");
}

NormMode parse_attack_bn(const std::string& text) {
  if (text == "eval") return NormMode::frozen;
  if (text == "train") return NormMode::batch;
  if (text == "train_no_update") return NormMode::batch_no_update;
  fail(ErrorKind::usage, "--attack-bn is '", text, "', expected eval, train or train_no_update");
}

void MethodOptions::add_flags(CLI::App& app) {
  app.add_option("--method", method, "Training method: " + methods_with(""))->capture_default_str();
  app.add_option("--norm", norm,
                 "Ball of the inner attack: linf (the default) or l2 (not for fast and free)");
  app.add_option("--eps", eps,
                 "Radius of the inner attack in pixel units [0, 1]: 8/255 (linf; trades: 0.031) or 1 (l2)");
  app.add_option("--alpha", alpha,
                 "Step length of the inner attack: eps/4 (linf), eps/5 (l2), 1.25 eps (fast), 2.5 eps/steps "
                 "(robustaugmix, rtda), 7/31 eps or in l2 2 eps/steps (trades)");
  app.add_option("--steps", steps, "Steps of the inner attack: 7; trades: 10");
  app.add_option("--replays", replays,
                 "free: minibatch replays, how often in succession a batch is taken: 4");
  app.add_flag("--random-start,!--no-random-start", random_start,
               "Start the inner attack at a random point: true");
  app.add_option("--attack-bn", attack_bn,
                 "Batch norm while attacking: eval (the default), train (fast's default) or train_no_update");
  app.add_option(
      "--augmix", augmix,
      "augmix, robustaugmix, rtda: augmix:severity=3,chains=3,depth=-1,alpha=1,ops=standard|all|flips");
  app.add_option("--jsd-weight", jsd_weight, "augmix, robustaugmix: weight of the views' divergence: 12");
  app.add_option("--beta", beta, "trades: weight of the divergence from the clean images' answers: 6");
  app.add_option(
      "--views", views,
      "augmix, robustaugmix, trades: views pass the network together (augmix's default) or one_by_one");
  app.add_option("--precision", precision, "How activations inside the network are stored: fp32 or bf16")
      ->capture_default_str();
}

void MethodOptions::check() const {
  parse_precision(precision);
  check_flags(*this);
  if (attacks_inside(*this)) {
    attack_norm();  // refuses an unknown word
    described_attack(*this);
  } else if (method == "free") {
    FreeTraining(described_ball(*this).eps, replays.value_or(kDefaultReplays));
  }
  if (augments(*this)) described_augmix(*this);
  if (compares_views(*this)) {
    divergence_weight(*this);
    views_word(*this);
  }
}

std::optional<attacks::PgdSpec> MethodOptions::attack() const {
  check();
  if (!attacks_inside(*this)) return std::nullopt;
  return described_attack(*this);
}

std::optional<Ball> MethodOptions::ball() const {
  check();
  if (method == "standard" || method == "augmix" || is_clean_evaluation(*this)) return std::nullopt;
  return described_ball(*this);
}

bool MethodOptions::descends_on_attacked() const {
  return ball() && !compares_views(*this);
}

std::int64_t MethodOptions::views_of_a_batch() const {
  check();
  return !compares_views(*this) ? 1 : is_trades(*this) ? 2 : 3;
}

std::int64_t MethodOptions::replays_of_a_batch() const {
  check();
  return method == "free" ? replays.value_or(kDefaultReplays) : 1;
}

NormMode MethodOptions::attack_norm() const {
  return parse_attack_bn(attack_bn_word(*this));
}

std::vector<std::pair<std::string, std::string>> MethodOptions::resolved() const {
  require_training(*this);
  std::vector<std::pair<std::string, std::string>> list{{"method", method}, {"precision", precision}};
  if (augments(*this)) list.emplace_back("augmix", attacks::AugMixView(described_augmix(*this)).spec());
  if (compares_views(*this)) {
    const auto& [key, weight] = divergence_weight(*this);
    list.emplace_back(key, format_number(weight));
    list.emplace_back("views", views_word(*this));
  }
  const std::optional<Ball> against = ball();
  if (!against) return list;
  list.insert(list.end(),
              {{"norm", attacks::to_string(against->norm)}, {"eps", format_number(against->eps)}});
  if (const std::optional<attacks::PgdSpec> inner = attack()) {
    list.emplace_back("alpha", format_number(inner->alpha));
    if (has(*this, "--steps")) list.emplace_back("steps", std::to_string(inner->steps));
    if (has(*this, "--random-start"))
      list.emplace_back("random_start", inner->start == attacks::Start::clean ? "false" : "true");
    if (has(*this, "--attack-bn")) list.emplace_back("attack_bn", attack_bn_word(*this));
  } else {
    list.emplace_back("replays", std::to_string(replays_of_a_batch()));
  }
  return list;
}

TrainingMethod make_method(const MethodOptions& o) {
  require_training(o);
  TrainingMethod m;
  const auto own = [&](std::unique_ptr<Perturbation> p) -> const Perturbation* {
    m.perturbations.push_back(std::move(p));
    return m.perturbations.back().get();
  };
  /// One of several independent mixtures of the images.
  const auto mixture = [&](std::int64_t view) {
    attacks::AugMixSpec spec = described_augmix(o);
    spec.view += view;
    return own(std::make_unique<attacks::AugMixView>(spec));
  };
  const std::optional<attacks::PgdSpec> inner = o.attack();
  const Perturbation* const attack = inner ? own(std::make_unique<attacks::Pgd>(*inner)) : nullptr;
  m.description = o.method + (attack != nullptr ? " (" + attack->spec() + ")" : "");

  if (compares_views(o)) {
    std::vector<const Perturbation*> views;
    if (augments(o)) views.push_back(mixture(0));
    views.push_back(attack != nullptr ? attack : mixture(1));
    const double weight = divergence_weight(o).second;
    m.description += " (" + (is_trades(o) ? "beta " : views[0]->spec() + "; jsd weight ") +
                     format_number(weight) + ", views " + views_word(o) + ")";
    m.objective = std::make_unique<ConsistentTraining>(
        o.method, std::move(views), weight,
        views_word(o) == "together" ? ViewPasses::together : ViewPasses::one_by_one,
        is_trades(o) ? Divergence::kullback_leibler : Divergence::jensen_shannon);
  } else if (o.method == "rtda") {
    const Perturbation* const first = mixture(0);
    m.description += " around (" + first->spec() + ")";
    m.objective = std::make_unique<AdversarialTraining>(
        o.method, *own(std::make_unique<attacks::Sequence>(*first, *attack)), o.attack_norm(), inner->steps);
  } else if (attack != nullptr) {
    m.objective = std::make_unique<AdversarialTraining>(o.method, *attack, o.attack_norm(), inner->steps);
  } else if (const std::optional<Ball> ball = o.ball()) {
    const std::int64_t replays = o.replays_of_a_batch();
    m.objective = std::make_unique<FreeTraining>(ball->eps, replays);
    m.description += " (norm=" + attacks::to_string(ball->norm) + ",eps=" + format_number(ball->eps) +
                     ",replays=" + std::to_string(replays) + ")";
  } else {
    m.objective = std::make_unique<Erm>();
  }
  return m;
}

}  // namespace inocula
