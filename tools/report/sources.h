// What a report is made from: run folders, and studies of several, read and checked.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/model_card.h"

namespace inocula {

/// More bytes than any file that a run or a study writes as text.
inline constexpr std::uint64_t kLargestRunFile = std::uint64_t{64} << 20;

/// Whether a study may call a method so: its folder's name, one that is good everywhere and lies inside.
bool is_method_name(const std::string& name);

/// A run folder. Everything but the card may be missing.
struct ReportRun {
  std::string path;
  ModelCard card;
  std::string config;                          ///< config.toml
  nlohmann::ordered_json record;               ///< run.json, or an empty object
  std::vector<nlohmann::ordered_json> epochs;  ///< the lines of metrics.jsonl
  std::optional<nlohmann::ordered_json> evaluation;
};

/// What is drawn as one: a run, or one method's runs of all seeds.
struct ReportSeries {
  std::string name;
  std::vector<ReportRun> runs;
  nlohmann::ordered_json rows;  ///< of evaluate.json, or their means; empty where nothing was evaluated
};

struct ReportSource {
  std::string path;
  std::optional<nlohmann::ordered_json> results;  ///< a study's results.json
  std::vector<ReportSeries> series;
};

/// Reads a study's folder (it holds results.json) or a run's. Throws Error: no_input; bad_data naming file
/// and key of what is not as inocula writes it.
ReportSource read_report_source(const std::string& path);

}  // namespace inocula
