// One page of HTML that sets runs side by side.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace inocula {

/// Writes the page of run folders and the evaluate.json inside them; above them the tables of `results`, a
/// study's results.json, where it is not null. Throws Error (bad_data) naming file and key of what is not as
/// inocula writes it.
void write_report(const std::vector<std::string>& runs, const nlohmann::ordered_json* results,
                  const std::string& out);

}  // namespace inocula
