// Scores of one split after another perturbation.
#include "tools/evaluation.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <utility>

#include "attacks/clean.h"
#include "attacks/per_label.h"
#include "attacks/scores/temperature.h"
#include "engine/error.h"
#include "io/dataset.h"
#include "tools/constraint_files.h"
#include "tools/examples.h"
#include "tools/interrupt.h"
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
  app.add_flag("--each-eps-anew,!--no-each-eps-anew", each_eps_anew,
               "In a list of eps attack all images at each; else those that a smaller eps left right");
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

void check_attacks(const EvaluationOptions& o, std::int64_t classes, const ImageSplit& split) {
  for (const std::string& text : o.attacks)
    for (const attacks::NamedAttack& attack : attacks::parse_attacks(text))
      attacks::check_stages(attack.stages(attacks::attacked_classes(classes, split)),
                            parse_attack_bn(o.evaluator.attack_bn));
}

nlohmann::ordered_json evaluate(const EvaluationOptions& o, const Subject& subject,
                                const EvaluationAids& aids, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  o.check();
  const std::int64_t classes = subject.network->graph().classes();
  check_attacks(o, classes, *subject.split);
  const NormMode attack_norm = parse_attack_bn(o.evaluator.attack_bn);
  const CommonOptions& common = o.subject.common;
  const attacks::Constraints constraints = load_constraints(o.evaluator, *subject.split);

  // An attack on one of several labels makes an image of its own: there is no picture of all.
  Examples examples(*subject.split, o.evaluator.limit, subject.data.multi_label() ? 0 : o.examples);
  const auto spec_of = [&](std::uint64_t seed, std::int64_t limit, attacks::KeepImages keep) {
    attacks::EvaluatorSpec spec{.batch = o.subject.batch,
                                .seed = seed,
                                .limit = limit,
                                .attack_norm = attack_norm,
                                .keep_images = keep,
                                .defence = aids.defence,
                                .answers = aids.answers};
    if (keep == attacks::KeepImages::yes) spec.keep_only = examples.index();
    return spec;
  };
  const auto tell = [&](const Perturbation& p, std::int64_t done, std::int64_t all) {
    progress.update(
        [&] { return p.spec() + ": " + std::to_string(done) + " of " + std::to_string(all) + " images"; });
    if (aids.answers != nullptr && InterruptWatch::requested())
      fail(ErrorKind::interrupted, "stopped in ", p.spec(), "; the same command with --resume goes on");
  };
  const auto evaluate_split = [&](const ImageSplit& split, const Perturbation& p, std::uint64_t seed,
                                  std::int64_t limit, attacks::KeepImages keep = attacks::KeepImages::no) {
    attacks::Evaluator evaluator(*subject.network, split, p, spec_of(seed, limit, keep));
    return evaluator.run([&](std::int64_t done, std::int64_t all) { tell(p, done, all); });
  };
  const auto attacked = [&](const attacks::NamedAttack& attack, std::int64_t limit, attacks::KeepImages keep,
                            const attacks::Evaluation* weaker) {
    attacks::EvaluatorSpec spec = spec_of(attack.seed.value_or(common.seed), limit, keep);
    spec.constraints = &constraints;
    return attacks::evaluate_labels(
        *subject.network, *subject.split, attack.stages(attacks::attacked_classes(classes, *subject.split)),
        spec, weaker, [&](const attacks::Stage& stage, std::int64_t done, std::int64_t all) {
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
      .bootstrap = {.resamples = o.bootstrap, .seed = common.seed, .threads = subject.device.threads()},
      .task = subject.card.task};
  if (o.temperature_scaling) {
    const attacks::Evaluation val =
        evaluate_split(require_split(subject.data, "val"), attacks::Clean{}, common.seed, 0);
    scoring.temperature = attacks::fit_temperature(val.logits, val.label, val.classes);
    result["temperature"] = scoring.temperature;
  }
  const attacks::Evaluation clean =
      evaluate_split(*subject.split, attacks::Clean{}, common.seed, o.evaluator.limit);
  result["n"] = clean.n;
  result["classes"] = subject.card.classes;
  result["task"] = to_string(subject.card.task);
  auto& rows = result["rows"] = nlohmann::ordered_json::array({clean_row(clean, scoring)});
  if (!examples.index().empty()) examples.add_clean(clean, scoring.temperature);
  const bool shows = !examples.index().empty();
  /// What is left of the last attack by the one that is being checked.
  std::optional<attacks::Evaluation> strongest;
  /// One row of each value of eps, in the order of the list; the middle one is shown.
  const auto attack_rows = [&](const std::vector<attacks::NamedAttack>& list) {
    std::vector<std::size_t> order(list.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return list[a].eps < list[b].eps; });
    const bool carries = !o.each_eps_anew && attack_norm == NormMode::frozen;
    const std::size_t shown = list.size() / 2;
    bool before_shown = shows;
    auto own = nlohmann::ordered_json(list.size(), nlohmann::ordered_json());
    strongest.reset();
    for (const std::size_t i : order) {
      const bool keeps = carries ? before_shown : shows && i == shown;
      const bool carried = carries && strongest.has_value();
      const std::int64_t broken_before = carried ? attacks::judge_robustness(*strongest).fooled() : 0;
      attacks::StagedEvaluation e =
          attacked(list[i], o.evaluator.limit, keeps ? attacks::KeepImages::yes : attacks::KeepImages::no,
                   carried ? &*strongest : nullptr);
      if (shows && i == shown) {
        examples.add(rows.size() + i, e.evaluation, scoring.temperature);
        before_shown = false;
      }
      own[i] = attack_row(e, list[i], scoring);
      if (carried) own[i]["broken_at_smaller_eps"] = broken_before;
      strongest = std::move(e.evaluation);
    }
    return own;
  };
  const auto row_of_run = [&](const attacks::StagedEvaluation& e, const attacks::NamedAttack& attack) {
    return attack_row(
        e, attack,
        Scoring{
            .bootstrap = {.resamples = 0}, .temperature = scoring.temperature, .task = subject.card.task});
  };
  TrustRuns trust_runs{
      .afresh =
          [&](const std::string& spec, std::int64_t limit) {
            const attacks::NamedAttack attack = attacks::parse_attacks(spec).front();
            const std::int64_t asked = o.evaluator.limit;
            const std::int64_t images =
                asked == 0 || limit == 0 ? std::max(asked, limit) : std::min(asked, limit);
            return row_of_run(attacked(attack, images, attacks::KeepImages::no, nullptr), attack);
          },
      .on_survivors =
          [&](const std::string& spec, std::int64_t survivors) {
            const attacks::NamedAttack attack = attacks::parse_attacks(spec).front();
            const attacks::Evaluation some = attacks::up_to_survivor(*strongest, survivors);
            const attacks::StagedEvaluation e = attacked(attack, some.n, attacks::KeepImages::no, &some);
            nlohmann::ordered_json row = row_of_run(e, attack);
            row["tried"] = e.stages.front().tried;
            std::int64_t broken = 0;
            for (const attacks::StageReport& stage : e.stages) broken += stage.broken;
            row["broken"] = broken;
            return row;
          }};
  // Batches of survivors have other statistics.
  if (attack_norm != NormMode::frozen) trust_runs.on_survivors = nullptr;
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  const bool anywhere = constraints.reach_every_image() && tells_classes_apart(rows[0]);
  const ChecksAsked asked{.unbounded = anywhere, .nearest = anywhere && constraints.bits == 0};
  for (const std::string& text : o.attacks) {
    const nlohmann::ordered_json own = attack_rows(attacks::parse_attacks(text));
    for (const auto& row : own) rows.push_back(row);
    if (!o.trust_checks) continue;
    for (auto& check : trust_checks(text, own, subject.network->graph().input_shape(), asked, trust_runs))
      checks.push_back(std::move(check));
  }
  for (const std::string& text : o.corruptions) {
    const std::vector<attacks::NamedCorruption> list = attacks::parse_corruptions(text);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const bool shown = shows && i == list.size() / 2;
      const attacks::Evaluation e =
          evaluate_split(*subject.split, *list[i].perturbation, list[i].seed.value_or(common.seed),
                         o.evaluator.limit, shown ? attacks::KeepImages::yes : attacks::KeepImages::no);
      if (shown) examples.add(rows.size(), e, scoring.temperature);
      rows.push_back(corruption_row(e, list[i], scoring));
    }
  }
  if (o.trust_checks && !o.attacks.empty()) {
    for (auto& check : black_box_checks(rows)) checks.push_back(std::move(check));
    attacks::EvaluatorSpec again = spec_of(common.seed, clean.n, attacks::KeepImages::no);
    again.restart = 1;  // a network that draws random numbers draws others, and a store knows them apart
    for (auto& check : network_checks(
             clean, attacks::Evaluator(*subject.network, *subject.split, attacks::Clean{}, again).run(),
             attacked(attacks::parse_attacks(kSmallStep).front(), std::min(clean.n, kSteppedImages),
                      attacks::KeepImages::no, nullptr)
                 .evaluation))
      checks.push_back(std::move(check));
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
