// Scores of one split after another perturbation.
#include "tools/evaluation.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "attacks/clean.h"
#include "attacks/stages.h"
#include "attacks/temperature.h"
#include "engine/error.h"
#include "io/dataset.h"
#include "tools/constraint_files.h"
#include "tools/examples.h"
#include "tools/method.h"
#include "tools/score_json.h"
#include "tools/trust_checks.h"

namespace inocula {

namespace {

/// They lie in the document as pictures.
constexpr std::int64_t kMostExamples = 64;

}  // namespace

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
  app.add_option("--examples", examples, "Images shown in the report, before and after; 0 for none")
      ->capture_default_str();
  app.add_flag(
      "--trust-checks,!--no-trust-checks", trust_checks,
      "Try each attack with one step and without bounds too, and say whether its figures can be believed");
  evaluator.add_flags(app);
}

void EvaluationOptions::check() const {
  for (const std::string& text : attacks) attacks::parse_attacks(text);
  for (const std::string& text : corruptions) attacks::parse_corruptions(text);
  if (bootstrap < 0)
    fail(ErrorKind::usage, "--bootstrap is ", bootstrap, ", expected a number of resamples, 0 or more");
  if (examples < 0 || examples > kMostExamples)
    fail(ErrorKind::usage, "--examples is ", examples, ", expected 0 to ", kMostExamples);
  if (temperature_scaling && subject.split == "val")
    fail(ErrorKind::usage, "--temperature-scaling fits on the split val, expected another --split to judge");
  if (parse_attack_bn(evaluator.attack_bn) == NormMode::batch)
    fail(ErrorKind::usage,
         "--attack-bn is 'train', which changes the network, expected eval or train_no_update");
  evaluator.check();
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
  const attacks::Constraints constraints = load_constraints(o.evaluator, *subject.split);

  Examples examples(*subject.split, o.evaluator.limit, o.examples);
  const auto spec_of = [&](std::uint64_t seed, std::int64_t limit, attacks::KeepImages keep) {
    attacks::EvaluatorSpec spec{.batch = o.subject.batch,
                                .seed = seed,
                                .limit = limit,
                                .attack_norm = attack_norm,
                                .keep_images = keep};
    if (keep == attacks::KeepImages::yes) spec.keep_only = examples.index();
    return spec;
  };
  const auto tell = [&](const Perturbation& p, std::int64_t done, std::int64_t all) {
    progress.update(
        [&] { return p.spec() + ": " + std::to_string(done) + " of " + std::to_string(all) + " images"; });
  };
  const auto evaluate_split = [&](const ImageSplit& split, const Perturbation& p, std::uint64_t seed,
                                  std::int64_t limit, attacks::KeepImages keep = attacks::KeepImages::no) {
    attacks::Evaluator evaluator(*subject.network, split, p, spec_of(seed, limit, keep));
    return evaluator.run([&](std::int64_t done, std::int64_t all) { tell(p, done, all); });
  };
  const auto attacked = [&](const attacks::NamedAttack& attack, std::int64_t limit,
                            attacks::KeepImages keep) {
    attacks::EvaluatorSpec spec = spec_of(attack.seed.value_or(common.seed), limit, keep);
    spec.constraints = &constraints;
    return attacks::evaluate_stages(*subject.network, *subject.split,
                                    attack.stages(subject.network->graph().classes()), spec,
                                    [&](const attacks::Stage& stage, std::int64_t done, std::int64_t all) {
                                      tell(*stage.perturbation, done, all);
                                    });
  };

  nlohmann::ordered_json result{
      {"model", o.subject.model}, {"data", o.subject.data}, {"split", o.subject.split}};
  if (!o.evaluator.region.empty()) result["region"] = o.evaluator.region;
  if (!o.evaluator.eps_scale.empty()) result["eps_scale"] = o.evaluator.eps_scale;
  if (constraints.channels == attacks::Channels::same) result["channels"] = "same";
  if (constraints.bits != 0) result["bits"] = constraints.bits;
  Scoring scoring{
      .bootstrap = {.resamples = o.bootstrap, .seed = common.seed, .threads = subject.device.threads()}};
  if (o.temperature_scaling) {
    const attacks::Evaluation val =
        evaluate_split(require_split(subject.data, "val"), attacks::Clean{}, common.seed, 0);
    scoring.temperature = attacks::fit_temperature(val.logits, val.label, val.classes);
    result["temperature"] = scoring.temperature;
  }
  const attacks::Evaluation clean =
      evaluate_split(*subject.split, attacks::Clean{}, common.seed, o.evaluator.limit);
  result["n"] = clean.n;
  result["classes"] = clean.classes;
  auto& rows = result["rows"] = nlohmann::ordered_json::array({clean_row(clean, scoring)});
  if (!examples.index().empty()) examples.add_clean(clean, scoring.temperature);
  /// The rows of one spec's list: `run` answers the evaluation of one of its members, `row_of` the row.
  const auto add_rows = [&](const auto& list, const auto& run, const auto& row_of) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const bool shown = i == list.size() / 2 && !examples.index().empty();
      const attacks::StagedEvaluation e =
          run(list[i], shown ? attacks::KeepImages::yes : attacks::KeepImages::no);
      if (shown) examples.add(rows.size(), e.evaluation, scoring.temperature);
      rows.push_back(row_of(e, list[i], scoring));
    }
  };
  const auto run_attack = [&](const std::string& spec, std::int64_t limit) {
    const attacks::NamedAttack attack = attacks::parse_attacks(spec).front();
    const std::int64_t asked = o.evaluator.limit;
    const std::int64_t images = asked == 0 || limit == 0 ? std::max(asked, limit) : std::min(asked, limit);
    return attack_row(attacked(attack, images, attacks::KeepImages::no), attack,
                      Scoring{.bootstrap = {.resamples = 0}, .temperature = scoring.temperature});
  };
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const std::string& text : o.attacks) {
    const std::size_t first = rows.size();
    add_rows(
        attacks::parse_attacks(text),
        [&](const attacks::NamedAttack& attack, attacks::KeepImages keep) {
          return attacked(attack, o.evaluator.limit, keep);
        },
        attack_row);
    if (!o.trust_checks) continue;
    const nlohmann::ordered_json own(rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end());
    for (auto& check :
         trust_checks(text, own, subject.network->graph().input_shape(), clean.classes,
                      constraints.reach_every_image() ? Reach::every_image : Reach::some_images, run_attack))
      checks.push_back(std::move(check));
  }
  for (const std::string& text : o.corruptions)
    add_rows(
        attacks::parse_corruptions(text),
        [&](const attacks::NamedCorruption& c, attacks::KeepImages keep) {
          return attacks::StagedEvaluation{
              evaluate_split(*subject.split, *c.perturbation, c.seed.value_or(common.seed), o.evaluator.limit,
                             keep),
              {}};
        },
        [](const attacks::StagedEvaluation& e, const attacks::NamedCorruption& c, const Scoring& by) {
          return corruption_row(e.evaluation, c, by);
        });
  if (o.trust_checks && !o.attacks.empty()) {
    for (auto& check : black_box_checks(rows)) checks.push_back(std::move(check));
    result["trust"] = trust_in(checks);
    result["checks"] = checks;
  }
  result["examples"] = examples.json();
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
