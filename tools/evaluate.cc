// `inocula evaluate`: clean, attacked and corrupted scores of a trained model.
#include <cstdio>
#include <memory>
#include <optional>

#include "attacks/corruption.h"
#include "attacks/registry.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "tools/answer_file.h"
#include "tools/command.h"
#include "tools/evaluation.h"
#include "tools/interrupt.h"
#include "tools/score_json.h"
#include "tools/subject.h"
#include "tools/terminal.h"

namespace inocula {

namespace {

struct EvaluateOptions {
  EvaluationOptions evaluation;
  std::string out;
  bool list = false;
  bool json = false;
  bool fail_on_flag = false;
};

/// The checks that failed, one a line.
void print_flags(const nlohmann::ordered_json& result) {
  std::printf("trust: %s\n", result.at("trust").get<std::string>().c_str());
  for (const auto& check : result.at("checks"))
    if (!check.at("passed").get<bool>())
      std::printf("  %s: %s: %s: %s\n", check.at("severity").get<std::string>().c_str(),
                  check.at("attack").get<std::string>().c_str(), check.at("check").get<std::string>().c_str(),
                  check.at("says").get<std::string>().c_str());
}

void run_evaluate(const EvaluateOptions& o) {
  if (o.list) {
    std::printf("%s%s", attacks::list_attacks().c_str(), attacks::list_corruptions().c_str());
    return;
  }
  o.evaluation.check();
  if (o.fail_on_flag && (!o.evaluation.trust_checks || o.evaluation.attacks.empty()))
    fail(ErrorKind::usage, "--fail-on-flag asks for the checks of attacks, expected --attack and no ",
         "--no-trust-checks");
  if (!o.out.empty()) require_creatable(o.out);
  const bool quiet = o.evaluation.subject.common.quiet;
  if (o.evaluation.evaluator.resume) require_flag(o.out, "--out");
  nlohmann::ordered_json result;
  {
    Progress progress(quiet);
    const Subject subject(o.evaluation.subject);
    std::optional<InterruptWatch> watch;
    std::optional<AnswerFile> answers;
    check_attacks(o.evaluation, subject.network->graph().classes(), *subject.split);
    if (!o.out.empty()) {
      watch.emplace();  // before there is a state to go on from
      answers.emplace(o.out, o.evaluation.evaluator.begin(), o.evaluation.evaluator, o.evaluation.subject,
                      subject);
    }
    result = evaluate(o.evaluation, subject, {.answers = answers ? &*answers : nullptr}, progress);
    if (answers) {
      write_file(o.out, result.dump(1) + "\n");
      answers->remove();
    }
  }
  if (o.json) {
    std::printf("%s\n", result.dump(1).c_str());
  } else if (!quiet) {
    std::printf("%s\n", score_heading().c_str());
    for (const auto& row : result["rows"]) std::printf("%s\n", score_line(row).c_str());
    if (result.contains("trust")) print_flags(result);
  }
  if (!o.fail_on_flag || result.at("trust") == "pass") return;
  for (const auto& check : result.at("checks"))
    if (!check.at("passed").get<bool>())
      fail(ErrorKind::bad_data, check.at("attack").get<std::string>(), ": ",
           check.at("check").get<std::string>(), " failed: ", check.at("says").get<std::string>());
}

}  // namespace

void add_evaluate_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<EvaluateOptions>();
  CLI::App* app = program.add_subcommand(
      "evaluate", "Clean, attacked and corrupted scores of a trained model, with calibration");
  o->evaluation.add_flags(*app);
  app->add_option("--out", o->out, "JSON file to write");
  app->add_flag("--list", o->list, "Print every attack and corruption with its keys and defaults");
  app->add_flag("--json", o->json, "Print the JSON instead of a table");
  app->add_flag("--fail-on-flag", o->fail_on_flag,
                "Exit with 65 where a check says that an attack's figures cannot be believed");
  commands.push_back({app, [o] { run_evaluate(*o); }});
}

}  // namespace inocula
