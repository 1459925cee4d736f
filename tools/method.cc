// From flags to objectives.
#include "tools/method.h"

#include "engine/error.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/erm.h"
#include "engine/spec.h"

namespace inocula {

namespace {

constexpr std::int64_t kDefaultSteps = 7;

/// The attack that the flags describe, with every default filled in.
attacks::PgdSpec described_attack(const MethodOptions& o) {
  attacks::PgdSpec p;
  if (!o.norm.empty() && o.norm != "linf" && o.norm != "l2")
    fail(ErrorKind::usage, "--norm is '", o.norm, "', expected linf or l2");
  p.norm = o.norm == "l2" ? attacks::Norm::l2 : attacks::Norm::linf;
  const bool linf = p.norm == attacks::Norm::linf;
  p.eps = o.eps.empty() ? (linf ? 8.0 / 255 : 1.0) : parse_number(o.eps, "--eps");
  if (!(p.eps > 0)) fail(ErrorKind::usage, "--eps is ", o.eps, ", expected a positive number");
  p.alpha = o.alpha.empty() ? p.eps / (linf ? 4 : 5) : parse_number(o.alpha, "--alpha");
  if (!(p.alpha > 0)) fail(ErrorKind::usage, "--alpha is ", o.alpha, ", expected a positive number");
  p.steps = o.steps.value_or(kDefaultSteps);
  if (p.steps < 1) fail(ErrorKind::usage, "--steps is ", p.steps, ", expected at least 1");
  if (!o.random_start.empty() && o.random_start != "true" && o.random_start != "false")
    fail(ErrorKind::usage, "--random-start is '", o.random_start, "', expected true or false");
  p.start = o.random_start == "false" ? attacks::Start::clean : attacks::Start::uniform;
  return p;
}

[[noreturn]] void refuse_method(const MethodOptions& o) {
  fail(ErrorKind::usage, "--method is '", o.method, "', expected standard or pgd");
}

/// The first flag that describes an attack and was given; null where none was.
const char* given_attack_flag(const MethodOptions& o) {
  if (!o.norm.empty()) return "--norm";
  if (!o.eps.empty()) return "--eps";
  if (!o.alpha.empty()) return "--alpha";
  if (o.steps && o.method != "eval") return "--steps";  // eval has no attack because of --steps 0
  if (!o.random_start.empty()) return "--random-start";
  if (!o.attack_bn.empty()) return "--attack-bn";
  return nullptr;
}

/// The attack of a method that trains.
std::optional<attacks::PgdSpec> training_attack(const MethodOptions& o) {
  if (o.method == "eval") refuse_method(o);  // bench's alone
  return o.attack();
}

}  // namespace

NormMode parse_attack_bn(const std::string& text) {
  if (text == "eval") return NormMode::frozen;
  if (text == "train") return NormMode::batch;
  if (text == "train_no_update") return NormMode::batch_no_update;
  fail(ErrorKind::usage, "--attack-bn is '", text, "', expected eval, train or train_no_update");
}

void MethodOptions::add_flags(CLI::App& app) {
  app.add_option("--method", method, "Training method: standard or pgd")->capture_default_str();
  app.add_option("--norm", norm, "Ball of the inner attack: linf (the default) or l2");
  app.add_option("--eps", eps, "Radius of the inner attack in pixel units [0, 1]: 8/255 (linf) or 1 (l2)");
  app.add_option("--alpha", alpha, "Step length of the inner attack: eps/4 (linf) or eps/5 (l2)");
  app.add_option("--steps", steps, "Steps of the inner attack: 7");
  app.add_flag("--random-start,!--no-random-start", random_start,
               "Start the inner attack at a random point: true");
  app.add_option("--attack-bn", attack_bn,
                 "Batch norm while attacking: eval (the default), train or train_no_update");
  app.add_option("--precision", precision, "How activations inside the network are stored: fp32 or bf16")
      ->capture_default_str();
}

std::optional<attacks::PgdSpec> MethodOptions::attack() const {
  parse_precision();
  const bool eval = method == "eval";
  if (!eval && method != "pgd" && method != "standard") refuse_method(*this);
  if (method == "pgd" || (eval && steps.value_or(kDefaultSteps) != 0)) {
    attack_norm();  // refuses an unknown word
    return described_attack(*this);
  }
  if (const char* flag = given_attack_flag(*this))
    fail(ErrorKind::usage, flag, " describes an attack, but ", eval ? "--steps 0" : "--method " + method,
         " has none; expected ", eval ? "--steps of at least 1" : "--method pgd");
  return std::nullopt;
}

Precision MethodOptions::parse_precision() const {
  for (const Precision p : {Precision::fp32, Precision::bf16})
    if (precision == to_string(p)) return p;
  fail(ErrorKind::usage, "--precision is '", precision, "', expected fp32 or bf16");
}

NormMode MethodOptions::attack_norm() const {
  return attack_bn.empty() ? NormMode::frozen : parse_attack_bn(attack_bn);
}

std::vector<std::pair<std::string, std::string>> MethodOptions::resolved() const {
  const std::optional<attacks::PgdSpec> inner = training_attack(*this);
  std::vector<std::pair<std::string, std::string>> list{{"method", method}, {"precision", precision}};
  if (!inner) return list;
  list.insert(list.end(), {{"norm", attacks::to_string(inner->norm)},
                           {"eps", format_number(inner->eps)},
                           {"alpha", format_number(inner->alpha)},
                           {"steps", std::to_string(inner->steps)},
                           {"random_start", inner->start == attacks::Start::uniform ? "true" : "false"},
                           {"attack_bn", attack_bn.empty() ? "eval" : attack_bn}});
  return list;
}

TrainingMethod make_method(const MethodOptions& o) {
  TrainingMethod m;
  if (const std::optional<attacks::PgdSpec> inner = training_attack(o)) {
    auto attack = std::make_unique<attacks::Pgd>(*inner);
    m.objective = std::make_unique<AdversarialTraining>("pgd", *attack, o.attack_norm(), inner->steps);
    m.attack = std::move(attack);
  } else {
    m.objective = std::make_unique<Erm>();
  }
  return m;
}

}  // namespace inocula
