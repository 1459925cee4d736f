// From folders to what a report shows of them.
#include "tools/report/sources.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <string_view>

#include "engine/error.h"
#include "io/input_file.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostLevels = 64;  // far more than inocula writes

[[noreturn]] void refuse(const std::string& where, const std::string& key, const char* expected) {
  fail(ErrorKind::bad_data, where, ": ", key, ", expected ", expected, " as inocula writes it");
}

void require_object(const Json& value, const std::string& where) {
  if (!value.is_object()) refuse(where, "is not an object", "one");
}

/// What is wrong is quoted in the message, and JSON is printed by recursion: without a bound a file of
/// nothing but brackets would exhaust the stack.
Json parse_object(const std::string& text, const std::string& where) {
  const auto bound = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMostLevels)
      refuse(where, "is nested deeper than " + std::to_string(kMostLevels) + " levels", "an object");
    return true;
  };
  Json object;
  try {
    object = Json::parse(text, bound);
  } catch (const nlohmann::json::exception&) {
    refuse(where, "is not JSON", "an object");
  }
  require_object(object, where);
  return object;
}

bool is_fraction(const Json& value) {
  return value.is_number() && value.get<double>() >= 0 && value.get<double>() <= 1;
}

bool is_count(const Json& value) {
  return value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < 4294967296.0;
}

bool is_number(const Json& value) {
  return value.is_number();
}

bool is_number_or_null(const Json& value) {
  return value.is_number() || value.is_null();
}

bool is_text(const Json& value) {
  return value.is_string();
}

bool is_bool(const Json& value) {
  return value.is_boolean();
}

bool is_list(const Json& value) {
  return value.is_array();
}

bool is_interval(const Json& value) {
  return value.is_array() && value.size() == 2 && is_fraction(value[0]) && is_fraction(value[1]);
}

bool is_reliability_diagram(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& bin) {
           return bin.is_object() && bin.contains("count") && is_count(bin["count"]) &&
                  bin.contains("correct") && is_count(bin["correct"]) && bin["correct"] <= bin["count"] &&
                  bin.contains("confidence") &&
                  (bin["confidence"].is_null() || is_fraction(bin["confidence"]));
         });
}

bool is_square_of_counts(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [&](const Json& row) {
           return row.is_array() && row.size() == value.size() &&
                  std::all_of(row.begin(), row.end(), is_count);
         });
}

/// Nothing but a picture: what else an address might be would be followed by the reader's browser.
bool is_picture(const Json& value) {
  constexpr std::string_view kBegin = "data:image/png;base64,";
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.starts_with(kBegin) &&
         text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
                                kBegin.size()) == std::string::npos;
}

bool is_scores_of_labels(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& label) {
           return label.is_object() && label.contains("label") && is_count(label["label"]) &&
                  label.contains("accuracy") && is_fraction(label["accuracy"]) && label.contains("auc") &&
                  is_number_or_null(label["auc"]);
         });
}

void require_key(const Json& object, const char* key, const std::string& where, bool (*good)(const Json&),
                 const char* expected) {
  if (!object.contains(key)) refuse(where, std::string(key) + " is missing", expected);
  if (!good(object[key])) refuse(where, std::string(key) + " is " + object[key].dump(), expected);
}

/// Scores that may be missing, or null because they are undefined, as the AUC of a single class is.
void require_optional_numbers(const Json& object, std::initializer_list<const char*> keys,
                              const std::string& where) {
  for (const char* key : keys)
    if (object.contains(key) && !object[key].is_null() && !object[key].is_number())
      refuse(where, std::string(key) + " is " + object[key].dump(), "a number");
}

void check_row(const Json& row, const std::string& where) {
  require_object(row, where);
  require_key(row, row.contains("spec") ? "spec" : "kind", where, is_text, "a text");
  if (row.contains("kind")) require_key(row, "kind", where, is_text, "a text");
  if (row.contains("corruption")) require_key(row, "corruption", where, is_text, "a text");
  require_key(row, "accuracy", where, is_fraction, "a number in [0, 1]");
  require_key(row, "accuracy_ci95", where, is_interval, "two numbers in [0, 1]");
  require_optional_numbers(
      row,
      {"balanced_accuracy", "auc", "ece", "mce", "adaptive_ece", "rmsce", "rmsce_top_label", "brier", "nll",
       "entropy", "attack_success_rate", "zero_gradient_fraction", "max_norm", "quadratic_weighted_kappa",
       "mean_absolute_error", "subset_accuracy"},
      where);
  const std::string kind = row.value("kind", "");
  if (kind == "attack") {
    require_key(row, "eps", where, is_number_or_null, "a number, or null for any distance");
    require_key(row, "norm", where, is_text, "a text");
    require_key(row, "steps", where, is_count, "a number of steps");
  }
  if (kind == "corruption") {
    require_key(row, "corruption", where, is_text, "a text");
    require_key(row, "level", where, is_number, "a number");
  }
  if (row.contains("reliability"))
    require_key(row, "reliability", where, is_reliability_diagram, "bins of count, correct and confidence");
  if (row.contains("confusion"))
    require_key(row, "confusion", where, is_square_of_counts, "a square matrix of counts");
  if (row.contains("per_label"))
    require_key(row, "per_label", where, is_scores_of_labels, "scores of each label");
}

void check_check(const Json& check, const std::string& where) {
  require_object(check, where);
  for (const char* key : {"attack", "check", "says"}) require_key(check, key, where, is_text, "a text");
  require_key(check, "passed", where, is_bool, "true or false");
}

/// What the network says of a picture.
void check_answer(const Json& shown, const std::string& where) {
  require_key(shown, "predicted", where, is_count, "a class");
  require_key(shown, "confidence", where, is_fraction, "a number in [0, 1]");
}

void check_example(const Json& example, std::size_t rows, const std::string& where) {
  require_object(example, where);
  require_key(example, "index", where, is_count, "the number of an image");
  require_key(example, "label", where, is_count, "a class");
  check_answer(example, where);
  require_key(example, "image", where, is_picture, "a PNG as data URI");
  require_key(example, "rows", where, is_list, "a list");
  for (const Json& made : example["rows"]) {
    if (!made.is_object()) refuse(where, "rows holds " + made.dump(), "objects");
    require_key(made, "row", where, is_count, "the number of a row");
    if (made["row"].get<std::size_t>() >= rows)
      refuse(where, "row is " + made["row"].dump(), "that of a row");
    check_answer(made, where);
    require_key(made, "scale", where, is_number, "a number");
    for (const char* key : {"image", "change"})
      require_key(made, key, where, is_picture, "a PNG as data URI");
  }
}

void check_rows(const Json& rows, const std::string& where) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    check_row(rows[i], where + ": rows[" + std::to_string(i) + "]");
}

void check_evaluation(const Json& evaluation, const std::string& where) {
  require_key(evaluation, "n", where, is_count, "a number of images");
  require_key(evaluation, "split", where, is_text, "a text");
  require_key(evaluation, "rows", where, is_list, "a list");
  check_rows(evaluation["rows"], where);
  const auto each = [&](const char* key, const auto& check) {
    if (!evaluation.contains(key)) return;
    require_key(evaluation, key, where, is_list, "a list");
    for (std::size_t i = 0; i < evaluation[key].size(); ++i)
      check(evaluation[key][i], where + ": " + key + "[" + std::to_string(i) + "]");
  };
  each("checks", check_check);
  each("examples", [&](const Json& example, const std::string& at) {
    check_example(example, evaluation["rows"].size(), at);
  });
}

Json epoch_line(const std::string& text, const std::string& where) {
  Json line = parse_object(text, where);
  require_key(line, "epoch", where, is_count, "a number of epochs");
  require_optional_numbers(
      line, {"seconds", "loss", "train_accuracy", "val_accuracy", "val_auc", "images_per_second"}, where);
  return line;
}

ReportRun read_run(const std::string& path) {
  ReportRun run{path, read_model_card(find_model(path).card), {}, Json::object(), {}, std::nullopt};
  const auto read = [&](const char* leaf) {
    return read_text_file_if_there(path + "/" + leaf, kLargestRunFile);
  };
  run.config = read("config.toml").value_or("");
  if (const std::optional<std::string> text = read("run.json"))
    run.record = parse_object(*text, path + "/run.json");
  const std::string metrics = path + "/metrics.jsonl", evaluation = path + "/evaluate.json";
  std::istringstream lines(read("metrics.jsonl").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    // A training that was killed while it wrote leaves a part of a line.
    if (lines.eof() && !Json::accept(line)) break;
    run.epochs.push_back(epoch_line(line, metrics + ":" + std::to_string(run.epochs.size() + 1)));
  }
  if (const std::optional<std::string> text = read("evaluate.json")) {
    run.evaluation = parse_object(*text, evaluation);
    check_evaluation(*run.evaluation, evaluation);
  }
  return run;
}

void check_cell(const Json& cell, const std::string& where) {
  if (!cell.is_object()) refuse(where, "a cell is " + cell.dump(), "an object");
  require_optional_numbers(cell, {"mean", "std", "published"}, where);
  if (!cell.contains("mean")) refuse(where, "mean is missing", "a number");
  if (cell.contains("ci95") && !(cell["ci95"].is_array() && cell["ci95"].size() == 2))
    refuse(where, "ci95 is " + cell["ci95"].dump(), "two numbers");
}

void check_table(const Json& table, const std::string& where) {
  require_object(table, where);
  require_key(table, "title", where, is_text, "a text");
  require_key(table, "unit", where, is_number, "a number");
  require_key(table, "columns", where, is_list, "a list");
  require_key(table, "rows", where, is_list, "a list");
  for (const Json& column : table["columns"]) {
    if (!column.is_object()) refuse(where, "a column is " + column.dump(), "an object");
    require_key(column, "label", where, is_text, "a text");
    require_key(column, "spec", where, is_text, "a text");
  }
  for (const Json& row : table["rows"]) {
    if (!row.is_object()) refuse(where, "a row is " + row.dump(), "an object");
    require_key(row, "method", where, is_text, "a text");
    require_key(row, "cells", where, is_list, "a list");
    for (const Json& cell : row["cells"]) check_cell(cell, where);
  }
}

bool is_object(const Json& value) {
  return value.is_object();
}

ReportSource read_study_folder(const std::string& path, const std::string& text) {
  const std::string where = path + "/results.json";
  ReportSource source{path, parse_object(text, where), {}};
  const Json& results = *source.results;
  require_key(results, "title", where, is_text, "a text");
  require_key(results, "n", where, is_count, "a number of images");
  require_key(results, "split", where, is_text, "a text");
  require_key(results, "seeds", where, is_list, "a list");
  require_key(results, "methods", where, is_object, "an object");
  require_key(results, "tables", where, is_object, "an object");
  for (const auto& [name, table] : results["tables"].items()) check_table(table, where + ": tables." + name);
  for (const auto& [name, method] : results["methods"].items()) {
    const std::string at = where + ": methods." + name;
    if (!is_method_name(name)) refuse(at, "is not a name", "letters, digits, - and _");
    if (!method.is_object() || !method.contains("evaluate") || !method["evaluate"].is_object())
      refuse(at, "evaluate is missing", "an object");
    require_key(method["evaluate"], "rows", at, is_list, "a list");
    ReportSeries series{name, {}, method["evaluate"]["rows"]};
    check_rows(series.rows, at);
    for (const Json& seed : results["seeds"]) {
      if (!seed.is_number_unsigned()) refuse(where, "seeds holds " + seed.dump(), "whole numbers");
      series.runs.push_back(
          read_run(path + "/" + name + "/seed-" + std::to_string(seed.get<std::uint64_t>())));
    }
    source.series.push_back(std::move(series));
  }
  return source;
}

}  // namespace

bool is_method_name(const std::string& name) {
  constexpr std::size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string::npos;
}

ReportSource read_report_source(const std::string& path) {
  if (const std::optional<std::string> text =
          read_text_file_if_there(path + "/results.json", kLargestRunFile))
    return read_study_folder(path, *text);
  ReportRun run = read_run(path);
  ReportSeries series{run.card.method, {}, run.evaluation ? run.evaluation->at("rows") : Json::array()};
  series.runs.push_back(std::move(run));
  return {path, std::nullopt, {std::move(series)}};
}

}  // namespace inocula
