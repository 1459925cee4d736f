// Evaluation results as JSON rows and as table lines.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "attacks/evaluate.h"
#include "attacks/registry.h"

namespace inocula {

/// A clean row: {"kind": "clean", "accuracy": …}.
nlohmann::ordered_json clean_row(const attacks::Evaluation& e);
/// An attack's row: accuracy is robust accuracy, right before and after, of all images.
nlohmann::ordered_json attack_row(const attacks::Evaluation& e, const attacks::NamedAttack& attack);

/// Why scores are undefined, where they are: a class has no image.
std::optional<std::string> missing_class_warning(const attacks::Evaluation& e);

/// One row of the table on the screen; the heading belongs to it.
std::string score_heading();
std::string score_line(const nlohmann::ordered_json& row);

}  // namespace inocula
