// Evaluation of a trained model, as `inocula evaluate` and the parts of a study do it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attacks/answer_store.h"
#include "attacks/defence.h"
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
  bool trust_checks = true;   ///< more attacks for each that is asked for
  /// In a list of eps an image broken at one of them counts as broken above it; true attacks all anew.
  bool each_eps_anew = false;

  void add_flags(CLI::App& app);
  /// Throws Error (usage) for what can be refused before a file is opened.
  void check() const;
};

/// What an evaluation may be given beside its subject.
struct EvaluationAids {
  attacks::AnswerStore* answers = nullptr;  ///< for going on after an interruption
  const attacks::Defence* defence = nullptr;
};

/// Throws Error (usage) where a network of so many classes has too few for one of the attacks, or not the
/// class that one aims at, or where one cannot be made under the statistics that are asked for.
void check_attacks(const EvaluationOptions& options, std::int64_t classes, const ImageSplit& split);

/// The documented object with a row for the images as they are, then one for each attack and each corruption;
/// "examples" as of tools/examples.h, of the middle row of each attack's and corruption's list; "trust" and
/// "checks" as of tools/trust_checks.h. Warnings are told to `progress` too. Throws Error as its parts do,
/// and interrupted where a signal was caught and there is a store that knows what is done.
nlohmann::ordered_json evaluate(const EvaluationOptions& options, const Subject& subject,
                                const EvaluationAids& aids, Progress& progress);

}  // namespace inocula
