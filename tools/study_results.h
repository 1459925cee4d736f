// What a study found: the scores of its methods over their seeds, and the tables that a paper prints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/study_file.h"

namespace inocula {

/// What `inocula train` and `inocula evaluate` left of one network.
struct StudyPart {
  nlohmann::ordered_json last_epoch;  ///< the last line of metrics.jsonl
  nlohmann::ordered_json evaluation;  ///< evaluate.json
};

/// The document results.json: {"methods": {NAME: {"train": …, "evaluate": {"rows": […]}}}, "tables": {…}}. A
/// row holds the mean over the seeds of each score of evaluate.json, with KEY_std (of the sample) where there
/// are several seeds; KEY_ci95 is the mean of their intervals, "confusion" and "reliability" count the images
/// of all seeds. Times are left out: whoever repeats the study gets the same bytes. `parts` by method, then
/// by seed, in the plan's order.
nlohmann::ordered_json study_results(const StudyPlan& plan, const std::vector<std::vector<StudyPart>>& parts);

/// A table of results.json for the screen.
std::string print_table(const nlohmann::ordered_json& table);

}  // namespace inocula
