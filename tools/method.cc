// From flags to objectives.
#include "tools/method.h"

#include "engine/error.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/erm.h"
#include "engine/spec.h"

namespace inocula {

namespace {

attacks::PgdSpec inner_attack(const MethodOptions& o) {
  attacks::PgdSpec p;
  if (o.norm != "linf" && o.norm != "l2")
    fail(ErrorKind::usage, "--norm is '", o.norm, "', expected linf or l2");
  p.norm = o.norm == "linf" ? attacks::Norm::linf : attacks::Norm::l2;
  const bool linf = p.norm == attacks::Norm::linf;
  p.eps = o.eps.empty() ? (linf ? 8.0 / 255 : 1.0) : parse_number(o.eps, "--eps");
  if (!(p.eps > 0)) fail(ErrorKind::usage, "--eps is ", o.eps, ", expected a positive number to train with");
  p.alpha = o.alpha.empty() ? p.eps / (linf ? 4 : 5) : parse_number(o.alpha, "--alpha");
  p.steps = o.steps;
  p.start = o.random_start ? attacks::Start::uniform : attacks::Start::clean;
  return p;
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
  app.add_option("--norm", norm, "Ball of the inner attack: linf or l2")->capture_default_str();
  app.add_option("--eps", eps, "Radius of the inner attack in pixel units [0, 1]: 8/255 (linf) or 1 (l2)");
  app.add_option("--alpha", alpha, "Step length of the inner attack: eps/4 (linf) or eps/5 (l2)");
  app.add_option("--steps", steps, "Steps of the inner attack")->capture_default_str();
  app.add_flag("--random-start,!--no-random-start", random_start, "Start the inner attack at a random point");
  app.add_option("--attack-bn", attack_bn, "Batch norm while attacking: eval, train or train_no_update")
      ->capture_default_str();
  app.add_option("--precision", precision, "Arithmetic of the network: fp32")->capture_default_str();
}

std::vector<std::pair<std::string, std::string>> MethodOptions::resolved() const {
  std::vector<std::pair<std::string, std::string>> list{{"method", method}, {"precision", precision}};
  if (method == "standard") return list;
  const attacks::PgdSpec p = inner_attack(*this);
  list.insert(list.end(), {{"norm", norm},
                           {"eps", format_number(p.eps)},
                           {"alpha", format_number(p.alpha)},
                           {"steps", std::to_string(steps)},
                           {"random_start", random_start ? "true" : "false"},
                           {"attack_bn", attack_bn}});
  return list;
}

TrainingMethod make_method(const MethodOptions& o) {
  if (o.precision != "fp32") fail(ErrorKind::usage, "--precision is '", o.precision, "', expected fp32");
  TrainingMethod m;
  if (o.method == "standard") {
    m.objective = std::make_unique<Erm>();
  } else if (o.method == "pgd") {
    auto attack = std::make_unique<attacks::Pgd>(inner_attack(o));
    m.objective =
        std::make_unique<AdversarialTraining>("pgd", *attack, parse_attack_bn(o.attack_bn), o.steps);
    m.attack = std::move(attack);
  } else {
    fail(ErrorKind::usage, "--method is '", o.method, "', expected standard or pgd");
  }
  return m;
}

}  // namespace inocula
