// Scores of one split after another perturbation.
#include "tools/evaluation.h"

#include <chrono>
#include <optional>

#include "attacks/clean.h"
#include "attacks/temperature.h"
#include "engine/error.h"
#include "io/dataset.h"
#include "tools/method.h"
#include "tools/score_json.h"

namespace inocula {

void EvaluationOptions::add_flags(CLI::App& app) {
  subject.add_flags(app);
  app.add_option("--attack", attacks,
                 "Attack such as pgd:norm=linf,eps=4/255,steps=20; may be given several times");
  app.add_option("--corruption", corruptions,
                 "Corruption such as gaussian_noise:level=0.1;0.2; may be given several times");
  app.add_option("--bootstrap", bootstrap, "Resamples of the 95 % intervals; 0 leaves them out")
      ->capture_default_str();
  app.add_flag("--temperature-scaling,!--no-temperature-scaling", temperature_scaling,
               "Divide logits by the temperature that suits the split val best");
  evaluator.add_flags(app);
}

void EvaluationOptions::check() const {
  for (const std::string& text : attacks) attacks::parse_attacks(text);
  for (const std::string& text : corruptions) attacks::parse_corruptions(text);
  if (bootstrap < 0)
    fail(ErrorKind::usage, "--bootstrap is ", bootstrap, ", expected a number of resamples, 0 or more");
  if (temperature_scaling && subject.split == "val")
    fail(ErrorKind::usage, "--temperature-scaling fits on the split val, expected another --split to judge");
  if (parse_attack_bn(evaluator.attack_bn) == NormMode::batch)
    fail(ErrorKind::usage,
         "--attack-bn is 'train', which changes the network, expected eval or train_no_update");
  if (subject.batch < 1) fail(ErrorKind::usage, "--batch is ", subject.batch, ", expected at least 1");
  if (evaluator.limit < 0)
    fail(ErrorKind::usage, "--limit is ", evaluator.limit, ", expected 0 (all) or more");
}

nlohmann::ordered_json evaluate(const EvaluationOptions& o, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  o.check();
  const NormMode attack_norm = parse_attack_bn(o.evaluator.attack_bn);
  const Subject subject(o.subject);
  const CommonOptions& common = o.subject.common;

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

  const auto perturbed = [&](const Perturbation& p, std::optional<std::uint64_t> seed) {
    return evaluate_split(*subject.split, p, seed.value_or(common.seed), o.evaluator.limit);
  };

  nlohmann::ordered_json result{
      {"model", o.subject.model}, {"data", o.subject.data}, {"split", o.subject.split}};
  Scoring scoring{
      .bootstrap = {.resamples = o.bootstrap, .seed = common.seed, .threads = subject.device.threads()}};
  if (o.temperature_scaling) {
    const attacks::Evaluation val =
        evaluate_split(require_split(subject.data, "val"), attacks::Clean{}, common.seed, 0);
    scoring.temperature = attacks::fit_temperature(val.logits, val.label, val.classes);
    result["temperature"] = scoring.temperature;
  }
  const attacks::Evaluation clean = perturbed(attacks::Clean{}, {});
  result["n"] = clean.n;
  result["classes"] = clean.classes;
  result["rows"] = nlohmann::ordered_json::array({clean_row(clean, scoring)});
  for (const std::string& text : o.attacks)
    for (const attacks::NamedAttack& a : attacks::parse_attacks(text))
      result["rows"].push_back(attack_row(perturbed(*a.perturbation, a.seed), a, scoring));
  for (const std::string& text : o.corruptions)
    for (const attacks::NamedCorruption& c : attacks::parse_corruptions(text))
      result["rows"].push_back(corruption_row(perturbed(*c.perturbation, c.seed), c, scoring));
  result["warnings"] = nlohmann::ordered_json::array();
  if (const std::optional<std::string> warning = missing_class_warning(clean)) {
    result["warnings"].push_back(*warning);
    progress.warn(o.subject.data + ": split '" + o.subject.split + "': " + *warning);
  }
  result["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result["device"] = subject.device.name();
  result["seed"] = common.seed;
  return result;
}

}  // namespace inocula
