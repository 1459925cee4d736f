// `inocula attack`: adversarial images of a split, as arrays.
#include <cstdio>
#include <memory>
#include <numeric>

#include "attacks/per_label.h"
#include "attacks/registry.h"
#include "engine/error.h"
#include "io/array_file.h"
#include "tools/answer_file.h"
#include "tools/command.h"
#include "tools/constraint_files.h"
#include "tools/evaluator_options.h"
#include "tools/interrupt.h"
#include "tools/method.h"
#include "tools/subject.h"
#include "tools/terminal.h"

namespace inocula {

namespace {

struct AttackOptions {
  SubjectOptions subject;
  EvaluatorOptions evaluator;
  std::string attack, out;
  std::optional<std::int64_t> label;
  bool list = false;
};

void run_attack(const AttackOptions& o) {
  if (o.list) {
    std::printf("%s", attacks::list_attacks().c_str());
    return;
  }
  require_flag(o.attack, "--attack");
  require_flag(o.out, "--out");
  const std::vector<attacks::NamedAttack> list = attacks::parse_attacks(o.attack);
  if (list.size() != 1)
    fail(ErrorKind::usage, "--attack '", o.attack, "' has ", list.size(), " values of eps, expected one");
  o.evaluator.check();
  require_array_file(o.out);
  const Subject subject(o.subject);
  const ImageSplit& split = *subject.split;
  if (o.label.has_value() != split.multi_label())
    fail(ErrorKind::usage, "--label says which of several labels an image is attacked, and images have ",
         split.label_columns, split.multi_label() ? "; expected --label" : "; expected no --label");
  const attacks::Constraints constraints = load_constraints(o.evaluator, split);
  const std::vector<attacks::Stage> stages =
      list[0].stages(attacks::attacked_classes(subject.network->graph().classes(), split));

  Progress progress(o.subject.common.quiet);
  const InterruptWatch watch;  // before there is a state to go on from
  AnswerFile answers(o.out, o.evaluator.begin(), o.evaluator, o.subject, subject);
  const attacks::Evaluation e =
      attacks::evaluate_stages(*subject.network, split, stages,
                               {.batch = o.subject.batch,
                                .seed = list[0].seed.value_or(o.subject.common.seed),
                                .limit = o.evaluator.limit,
                                .attack_norm = parse_attack_bn(o.evaluator.attack_bn),
                                .keep_images = attacks::KeepImages::yes,
                                .label_column = o.label,
                                .constraints = &constraints,
                                .answers = &answers},
                               nullptr,
                               [&](const attacks::Stage& stage, std::int64_t done, std::int64_t all) {
                                 progress.update([&] {
                                   return stage.perturbation->spec() + ": " + std::to_string(done) + " of " +
                                          std::to_string(all) + " images";
                                 });
                                 if (InterruptWatch::requested())
                                   fail(ErrorKind::interrupted, "stopped in ", stage.perturbation->spec(),
                                        "; the same command with --resume goes on");
                               })
          .evaluation;

  const std::vector<std::int32_t> before = attacks::argmax_rows(e.clean_logits, e.classes);
  const std::vector<std::int32_t> after = attacks::argmax_rows(e.logits, e.classes);
  std::vector<std::uint8_t> success;
  std::vector<float> norm_l2, norm_linf;
  for (std::size_t i = 0; i < e.label.size(); ++i) {
    success.push_back(before[i] == e.label[i] && after[i] != e.label[i] ? 1 : 0);
    norm_l2.push_back(static_cast<float>(e.norms[i].l2));
    norm_linf.push_back(static_cast<float>(e.norms[i].linf));
  }
  std::vector<std::int64_t> index(e.label.size());
  std::iota(index.begin(), index.end(), 0);
  const std::int64_t n = e.n;
  write_array_file(o.out, {{"adversarial", view_of(e.images, {n, split.channels, split.height, split.width})},
                           {"labels", view_of(e.label, {n})},
                           {"success", view_of(success, {n})},
                           {"norm_l2", view_of(norm_l2, {n})},
                           {"norm_linf", view_of(norm_linf, {n})},
                           {"index", view_of(index, {n})}});
  answers.remove();
  const attacks::Robustness r = attacks::judge_robustness(e);
  if (!o.subject.common.quiet)
    std::printf("%s: %lld of %lld images that were right are fooled; robust accuracy %.2f%%\n", o.out.c_str(),
                static_cast<long long>(r.fooled()), static_cast<long long>(r.clean_correct),
                100 * r.robust_accuracy);
}

}  // namespace

void add_attack_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<AttackOptions>();
  CLI::App* app = program.add_subcommand(
      "attack", "Adversarial images of a split; success marks those that were right and are fooled");
  o->subject.add_flags(*app);
  app->add_option("--attack", o->attack, "Attack such as pgd:norm=linf,eps=4/255,steps=20");
  app->add_option("--out", o->out, "File to write: .npz or .h5");
  app->add_option("--label", o->label, "Of a network of several labels an image the one to attack");
  o->evaluator.add_flags(*app);
  app->add_flag("--list", o->list, "Print every attack with its keys and defaults");
  commands.push_back({app, [o] { run_attack(*o); }});
}

}  // namespace inocula
