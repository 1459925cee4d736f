// `inocula evaluate`: clean and attacked scores of a trained model.
#include <chrono>
#include <cstdio>
#include <memory>

#include "attacks/clean.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "tools/command.h"
#include "tools/evaluator_options.h"
#include "tools/method.h"
#include "tools/score_json.h"
#include "tools/subject.h"
#include "tools/terminal.h"

namespace inocula {

namespace {

struct EvaluateOptions {
  SubjectOptions subject;
  EvaluatorOptions evaluator;
  std::string out;
  std::vector<std::string> attacks;
  bool json = false;
};

void run_evaluate(const EvaluateOptions& o) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<attacks::NamedAttack> list;
  for (const std::string& text : o.attacks)
    for (attacks::NamedAttack& a : attacks::parse_attacks(text)) list.push_back(std::move(a));
  const NormMode attack_norm = parse_attack_bn(o.evaluator.attack_bn);
  if (!o.out.empty()) require_creatable(o.out);
  const Subject subject(o.subject);
  const CommonOptions& common = o.subject.common;

  Progress progress(common.quiet);
  const auto evaluate = [&](const Perturbation& p, std::uint64_t seed) {
    attacks::Evaluator evaluator(
        *subject.network, *subject.split, p,
        {.batch = o.subject.batch, .seed = seed, .limit = o.evaluator.limit, .attack_norm = attack_norm});
    return evaluator.run([&](std::int64_t done, std::int64_t all) {
      progress.update(
          [&] { return p.spec() + ": " + std::to_string(done) + " of " + std::to_string(all) + " images"; });
    });
  };

  nlohmann::ordered_json result{
      {"model", o.subject.model}, {"data", o.subject.data}, {"split", o.subject.split}};
  const attacks::Evaluation clean = evaluate(attacks::Clean{}, common.seed);
  result["n"] = clean.n;
  result["classes"] = clean.classes;
  result["rows"] = nlohmann::ordered_json::array({clean_row(clean)});
  for (const attacks::NamedAttack& a : list)
    result["rows"].push_back(attack_row(evaluate(*a.perturbation, a.seed.value_or(common.seed)), a));
  result["warnings"] = nlohmann::ordered_json::array();
  if (const std::optional<std::string> warning = missing_class_warning(clean)) {
    result["warnings"].push_back(*warning);
    progress.warn(o.subject.data + ": split '" + o.subject.split + "': " + *warning);
  }
  result["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result["device"] = subject.device.name();
  result["seed"] = common.seed;

  if (!o.out.empty()) write_file(o.out, result.dump(1) + "\n");
  if (o.json) {
    std::printf("%s\n", result.dump(1).c_str());
  } else if (!common.quiet) {
    std::printf("%s\n", score_heading().c_str());
    for (const auto& row : result["rows"]) std::printf("%s\n", score_line(row).c_str());
  }
}

}  // namespace

void add_evaluate_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<EvaluateOptions>();
  CLI::App* app =
      program.add_subcommand("evaluate", "Clean and attacked scores of a trained model, with calibration");
  o->subject.add_flags(*app);
  app->add_option("--out", o->out, "JSON file to write");
  app->add_option("--attack", o->attacks,
                  "Attack such as pgd:norm=linf,eps=4/255,steps=20; may be given several times");
  o->evaluator.add_flags(*app);
  app->add_flag("--json", o->json, "Print the JSON instead of a table");
  commands.push_back({app, [o] { run_evaluate(*o); }});
}

}  // namespace inocula
