// Evaluation of a trained model, as `inocula evaluate` and the parts of a study do it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/evaluator_options.h"
#include "tools/subject.h"
#include "tools/terminal.h"

namespace inocula {

struct EvaluationOptions {
  SubjectOptions subject;
  EvaluatorOptions evaluator;
  std::vector<std::string> attacks, corruptions;  ///< specs
  std::int64_t bootstrap = 1000;                  ///< resamples of the intervals; 0: none
  bool temperature_scaling = false;
  std::int64_t examples = 4;  ///< images shown in the report
  bool trust_checks = true;   ///< two more attacks for each that is asked for

  void add_flags(CLI::App& app);
  /// Throws Error (usage) for what can be refused before a file is opened.
  void check() const;
};

/// The documented object with a row for the images as they are, then one for each attack and each corruption;
/// "examples" as of tools/examples.h, of the middle row of each attack's and corruption's list; "trust" and
/// "checks" as of tools/trust_checks.h. Warnings are told to `progress` too. Throws Error as its parts do.
nlohmann::ordered_json evaluate(const EvaluationOptions& options, Progress& progress);

}  // namespace inocula
