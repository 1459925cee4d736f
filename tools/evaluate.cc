// `inocula evaluate`: clean, attacked and corrupted scores of a trained model.
#include <chrono>
#include <cstdio>
#include <memory>

#include "attacks/clean.h"
#include "attacks/temperature.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/dataset.h"
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
  std::vector<std::string> attacks, corruptions;
  std::int64_t bootstrap = 1000;
  bool temperature_scaling = false;
  bool list = false;
  bool json = false;
};

void run_evaluate(const EvaluateOptions& o) {
  if (o.list) {
    std::printf("%s%s", attacks::list_attacks().c_str(), attacks::list_corruptions().c_str());
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  std::vector<attacks::NamedAttack> list;
  for (const std::string& text : o.attacks)
    for (attacks::NamedAttack& a : attacks::parse_attacks(text)) list.push_back(std::move(a));
  std::vector<attacks::NamedCorruption> corruptions;
  for (const std::string& text : o.corruptions)
    for (attacks::NamedCorruption& c : attacks::parse_corruptions(text)) corruptions.push_back(std::move(c));
  if (o.bootstrap < 0)
    fail(ErrorKind::usage, "--bootstrap is ", o.bootstrap, ", expected a number of resamples, 0 or more");
  const NormMode attack_norm = parse_attack_bn(o.evaluator.attack_bn);
  if (!o.out.empty()) require_creatable(o.out);
  const Subject subject(o.subject);
  const CommonOptions& common = o.subject.common;

  Progress progress(common.quiet);
  const auto evaluate_split = [&](const ImageSplit& split, const Perturbation& p, std::uint64_t seed,
                                  std::int64_t limit) {
    attacks::Evaluator evaluator(
        *subject.network, split, p,
        {.batch = o.subject.batch, .seed = seed, .limit = limit, .attack_norm = attack_norm});
    return evaluator.run([&](std::int64_t done, std::int64_t all) {
      progress.update(
          [&] { return p.spec() + ": " + std::to_string(done) + " of " + std::to_string(all) + " images"; });
    });
  };

  const auto evaluate = [&](const Perturbation& p, std::optional<std::uint64_t> seed) {
    return evaluate_split(*subject.split, p, seed.value_or(common.seed), o.evaluator.limit);
  };

  nlohmann::ordered_json result{
      {"model", o.subject.model}, {"data", o.subject.data}, {"split", o.subject.split}};
  Scoring scoring{.bootstrap = {.resamples = o.bootstrap, .seed = common.seed}};
  if (o.temperature_scaling) {
    if (o.subject.split == "val")
      fail(ErrorKind::usage,
           "--temperature-scaling fits on the split val, expected another --split to judge");
    const attacks::Evaluation val =
        evaluate_split(require_split(subject.data, "val"), attacks::Clean{}, common.seed, 0);
    scoring.temperature = attacks::fit_temperature(val.logits, val.label, val.classes);
    result["temperature"] = scoring.temperature;
  }
  const attacks::Evaluation clean = evaluate(attacks::Clean{}, {});
  result["n"] = clean.n;
  result["classes"] = clean.classes;
  result["rows"] = nlohmann::ordered_json::array({clean_row(clean, scoring)});
  for (const attacks::NamedAttack& a : list)
    result["rows"].push_back(attack_row(evaluate(*a.perturbation, a.seed), a, scoring));
  for (const attacks::NamedCorruption& c : corruptions)
    result["rows"].push_back(corruption_row(evaluate(*c.perturbation, c.seed), c, scoring));
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
  CLI::App* app = program.add_subcommand(
      "evaluate", "Clean, attacked and corrupted scores of a trained model, with calibration");
  o->subject.add_flags(*app);
  app->add_option("--out", o->out, "JSON file to write");
  app->add_option("--attack", o->attacks,
                  "Attack such as pgd:norm=linf,eps=4/255,steps=20; may be given several times");
  app->add_option("--corruption", o->corruptions,
                  "Corruption such as gaussian_noise:level=0.1;0.2; may be given several times");
  app->add_option("--bootstrap", o->bootstrap, "Resamples of the 95 % intervals; 0 leaves them out")
      ->capture_default_str();
  app->add_flag("--temperature-scaling,!--no-temperature-scaling", o->temperature_scaling,
                "Divide logits by the temperature that suits the split val best");
  app->add_flag("--list", o->list, "Print every attack and corruption with its keys and defaults");
  o->evaluator.add_flags(*app);
  app->add_flag("--json", o->json, "Print the JSON instead of a table");
  commands.push_back({app, [o] { run_evaluate(*o); }});
}

}  // namespace inocula
