// Evaluation results as JSON rows and as table lines.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "attacks/corruption.h"
#include "attacks/evaluate.h"
#include "attacks/registry.h"
#include "attacks/scores/bootstrap.h"
#include "engine/task.h"

namespace inocula {

/// How scores are taken from an evaluation.
struct Scoring {
  attacks::BootstrapSpec bootstrap;  ///< of the intervals of all scores but accuracy, whose is Wilson's
  double temperature = 1;            ///< that logits are divided by (attacks/scores/temperature.h)
  Task task = Task::multi_class;     ///< which scores belong in a row
};

/// A clean row: {"kind": "clean", "accuracy": …}.
nlohmann::ordered_json clean_row(const attacks::Evaluation& e, const Scoring& scoring);
/// An attack's row: accuracy is robust accuracy, right before and after, of all images; of several stages
/// "stages" says what each did. Of several labels an image all is counted in decisions, and "per_label" has
/// the scores of each label by itself.
nlohmann::ordered_json attack_row(const attacks::StagedEvaluation& staged, const attacks::NamedAttack& attack,
                                  const Scoring& scoring);
nlohmann::ordered_json corruption_row(const attacks::Evaluation& e,
                                      const attacks::NamedCorruption& corruption, const Scoring& scoring);

/// Why scores are undefined, where they are: a class has no image, or a label is nowhere or everywhere.
std::optional<std::string> missing_class_warning(const attacks::Evaluation& e);

/// One row of the table on the screen; the heading belongs to it.
std::string score_heading();
std::string score_line(const nlohmann::ordered_json& row);

}  // namespace inocula
