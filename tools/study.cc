// `inocula study`: several methods trained and judged alike, from one file to one table.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/dataset.h"
#include "io/digest.h"
#include "io/folder_lock.h"
#include "io/input_file.h"
#include "models/registry.h"
#include "tools/answer_file.h"
#include "tools/command.h"
#include "tools/constraint_files.h"
#include "tools/evaluation.h"
#include "tools/interrupt.h"
#include "tools/report/page.h"
#include "tools/report/sources.h"
#include "tools/study_estimate.h"
#include "tools/study_file.h"
#include "tools/study_results.h"
#include "tools/terminal.h"
#include "tools/training_run.h"
#include "tools/version.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

struct StudyOptions {
  CommonOptions common;
  std::string file, out, data;
  bool dry_run = false;
};

/// One network of the study.
struct Part {
  TrainOptions train;
  EvaluationOptions evaluation;
  std::string name;  ///< "robust, seed 0"

  std::string file(const char* leaf) const { return train.out + "/" + leaf; }
};

std::string digest_of(const std::string& file) {
  return file.empty() ? "none" : xxh3_128_of_file(file);
}

/// What an evaluation depends on, kept inside its document: one that was asked the same is not run again.
Json asked(const Part& part, const std::string& data_digest) {
  const EvaluationOptions& e = part.evaluation;
  return {{"attack", e.attacks},
          {"corruption", e.corruptions},
          {"split", e.subject.split},
          {"limit", e.evaluator.limit},
          {"batch", e.subject.batch},
          {"attack_bn", e.evaluator.attack_bn},
          {"bootstrap", e.bootstrap},
          {"temperature_scaling", e.temperature_scaling},
          {"examples", e.examples},
          {"trust_checks", e.trust_checks},
          {"each_eps_anew", e.each_eps_anew},
          {"region", digest_of(e.evaluator.region)},
          {"eps_scale", digest_of(e.evaluator.eps_scale)},
          {"channels", e.evaluator.channels},
          {"bits", e.evaluator.bits},
          {"seed", e.subject.common.seed},
          {"model", xxh3_128_of_file(part.file("model.safetensors"))},
          {"data", data_digest},
          {"version", kVersion}};
}

/// The line of metrics.jsonl that the model is of: the last, or the one before where the run ended because
/// its last epoch overfitted to the attack.
Json epoch_of_model(const Part& part) {
  std::istringstream lines(read_text_file(part.file("metrics.jsonl"), kLargestRunFile));
  Json before, last;
  for (std::string line; std::getline(lines, line);) {
    before = std::move(last);
    last = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  }
  const bool stopped = part.train.on_overfitting() == TrainOptions::OnOverfitting::stop &&
                       last.value("catastrophic_overfitting", false);
  return stopped ? before : last;
}

class Study {
 public:
  explicit Study(const StudyOptions& options);
  void run();
  void print_plan() const;

 private:
  std::optional<Json> evaluation_of(const Part& part) const;
  StudyPart finish(const Part& part);

  const StudyOptions& options_;
  StudyPlan plan_;
  std::int64_t trained_images_ = 0, judged_images_ = 0;
  std::string data_digest_;
  std::vector<std::vector<Part>> parts_;  ///< by method, then by seed
};

Study::Study(const StudyOptions& o) : options_(o), plan_(read_study(o.file, o.common)) {
  if (!o.data.empty()) plan_.data = o.data;
  if (plan_.data.empty())
    fail(ErrorKind::usage, o.file, ": names no data, expected data = \"FILE\" there or --data FILE");
  const ImageData data = load_image_data(plan_.data);
  // What is refused here is found now rather than after a training.
  const ImageSplit& judged = require_split(data, plan_.evaluation.subject.split);
  check_attacks(plan_.evaluation, data.classes, judged);
  load_constraints(plan_.evaluation.evaluator, judged);
  trained_images_ = data.train.count;
  judged_images_ = judged.count;
  if (plan_.evaluation.temperature_scaling) require_split(data, "val");
  data_digest_ = xxh3_128_of_file(plan_.data);
  for (const StudyMethod& m : plan_.methods) {
    m.train.task_for(data);
    models::build(m.train.model, m.train.input_spec(data.channels, data.height, data.width), data.classes);
    parts_.emplace_back();
    for (const std::uint64_t seed : plan_.seeds) {
      Part part{m.train, plan_.evaluation, m.name + ", seed " + std::to_string(seed)};
      part.train.data = part.evaluation.subject.data = plan_.data;
      part.train.common.seed = part.evaluation.subject.common.seed = seed;
      part.train.out = part.evaluation.subject.model = o.out + "/" + m.name + "/seed-" + std::to_string(seed);
      part.train.resume = true;
      parts_.back().push_back(std::move(part));
    }
  }
}

std::optional<Json> Study::evaluation_of(const Part& part) const {
  const std::optional<std::string> text =
      read_text_file_if_there(part.file("evaluate.json"), kLargestRunFile);
  if (!text) return std::nullopt;
  const Json found = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!found.is_object() || !found.contains("asked") || found["asked"] != asked(part, data_digest_))
    return std::nullopt;
  return found;
}

/// Does what of a part is not done yet.
StudyPart Study::finish(const Part& part) {
  try {
    train(part.train);  // a run that is done takes no step: its settings and data are compared
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::interrupted) throw;
    fail(ErrorKind::interrupted, "stopped in part '", part.name, "' with a checkpoint in ", part.train.out,
         "; the same command goes on");
  }
  remove_temporaries(part.train.out, {"evaluate.json"});
  std::optional<Json> evaluation = evaluation_of(part);
  if (!evaluation) {
    Progress progress(options_.common.quiet);
    const EvaluationOptions& o = part.evaluation;
    const Subject subject(o.subject);
    const std::string out = part.file("evaluate.json");
    const InterruptWatch watch;  // before there is a state to go on from
    AnswerFile answers(out, RecordFile::Begin::where_same, o.evaluator, o.subject, subject);
    try {
      evaluation = evaluate(o, subject, {.answers = &answers}, progress);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::interrupted) throw;
      fail(ErrorKind::interrupted, "stopped in the evaluation of part '", part.name,
           "'; the same command goes on");
    }
    (*evaluation)["asked"] = asked(part, data_digest_);
    write_file(out, evaluation->dump(1) + "\n");
    answers.remove();
  }
  return {epoch_of_model(part), std::move(*evaluation)};
}

void Study::print_plan() const {
  std::printf("%s: %zu methods, %zu seeds, %lld training images, %lld of split %s\n",
              plan_.title.empty() ? options_.file.c_str() : plan_.title.c_str(), plan_.methods.size(),
              plan_.seeds.size(), static_cast<long long>(trained_images_),
              static_cast<long long>(judged_images_), plan_.evaluation.subject.split.c_str());
  std::vector<PartToDo> to_do;
  for (std::size_t m = 0; m < parts_.size(); ++m)
    for (const Part& part : parts_[m]) {
      const bool trained = std::filesystem::exists(part.file("model.json")) &&
                           std::filesystem::exists(part.file("model.safetensors"));
      const bool judged = trained && evaluation_of(part);
      std::printf("  %-32s %s, %s\n", part.name.c_str(), trained ? "trained" : "to be trained",
                  judged ? "evaluated" : "to be evaluated");
      to_do.push_back({plan_.methods[m].name, &part.train, &part.evaluation, !trained, !judged});
    }
  print_estimate(to_do, plan_.data, options_.common.quiet);
}

void Study::run() {
  create_folder(options_.out);
  const FolderLock lock(options_.out + "/.lock");
  remove_temporaries(options_.out, {"results.json", "report.html", "report.charts.csv"});
  Progress progress(options_.common.quiet);
  std::vector<std::vector<StudyPart>> done;
  std::size_t number = 0;
  for (const std::vector<Part>& seeds : parts_) {
    done.emplace_back();
    for (const Part& part : seeds) {
      progress.say("part " + std::to_string(++number) + " of " +
                   std::to_string(plan_.methods.size() * plan_.seeds.size()) + ": " + part.name);
      done.back().push_back(finish(part));
    }
  }
  const Json results = study_results(plan_, done);
  write_file(options_.out + "/results.json", results.dump(1) + "\n");
  write_report({options_.out}, options_.out + "/report.html");
  if (options_.common.quiet) return;
  for (const auto& [name, table] : results.at("tables").items())
    std::printf("%s\n", print_table(table).c_str());
  std::printf("report: %s/report.html\n", options_.out.c_str());
}

}  // namespace

void add_study_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<StudyOptions>();
  CLI::App* app =
      program.add_subcommand("study", "Train and judge several methods alike; goes on where it was stopped");
  app->add_option("FILE", o->file, "TOML file: title, data, seeds, [train], [methods.NAME], [evaluate]");
  app->add_option("--out", o->out, "Folder to write");
  app->add_option("--data", o->data, "Images, in place of those that the file names");
  app->add_flag("--dry-run", o->dry_run,
                "Print the parts, what of them is done and what the rest costs, and do nothing");
  add_common(*app, o->common);
  commands.push_back({app, [o] {
                        require_flag(o->file, "FILE");
                        require_flag(o->out, "--out");
                        Study study(*o);
                        if (o->dry_run)
                          study.print_plan();
                        else
                          study.run();
                      }});
}

}  // namespace inocula
