// `inocula evaluate`: clean, attacked and corrupted scores of a trained model.
#include <cstdio>
#include <memory>

#include "attacks/corruption.h"
#include "attacks/registry.h"
#include "io/atomic_file.h"
#include "tools/command.h"
#include "tools/evaluation.h"
#include "tools/score_json.h"
#include "tools/terminal.h"

namespace inocula {

namespace {

struct EvaluateOptions {
  EvaluationOptions evaluation;
  std::string out;
  bool list = false;
  bool json = false;
};

void run_evaluate(const EvaluateOptions& o) {
  if (o.list) {
    std::printf("%s%s", attacks::list_attacks().c_str(), attacks::list_corruptions().c_str());
    return;
  }
  o.evaluation.check();
  if (!o.out.empty()) require_creatable(o.out);
  const bool quiet = o.evaluation.subject.common.quiet;
  nlohmann::ordered_json result;
  {
    Progress progress(quiet);
    result = evaluate(o.evaluation, progress);
  }
  if (!o.out.empty()) write_file(o.out, result.dump(1) + "\n");
  if (o.json) {
    std::printf("%s\n", result.dump(1).c_str());
  } else if (!quiet) {
    std::printf("%s\n", score_heading().c_str());
    for (const auto& row : result["rows"]) std::printf("%s\n", score_line(row).c_str());
  }
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
  commands.push_back({app, [o] { run_evaluate(*o); }});
}

}  // namespace inocula
