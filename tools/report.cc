// `inocula report`, and the page that it writes.
#include "tools/report.h"

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/input_file.h"
#include "io/model_card.h"
#include "tools/command.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

struct ReportOptions {
  CommonOptions common;
  std::vector<std::string> runs;
  std::string out = "report.html";
};

/// A run folder as the report needs it.
struct Run {
  std::string path;
  ModelCard card;
  std::vector<Json> epochs;        ///< what epoch_line() accepts
  std::optional<Json> evaluation;  ///< what check_evaluation() accepts; none where evaluate.json is missing
};

constexpr std::uint64_t kLargestFile = std::uint64_t{64} << 20;
constexpr int kMostLevels = 64;  // far more than inocula writes

std::string escaped(const std::string& text) {
  std::string html;
  for (const char c : text) switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  return html;
}

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

[[noreturn]] void refuse(const std::string& where, const std::string& key, const char* expected) {
  fail(ErrorKind::bad_data, where, ": ", key, ", expected ", expected, " as inocula writes it");
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
  if (!object.is_object()) refuse(where, "is not an object", "one");
  return object;
}

bool is_fraction(const Json& value) {
  return value.is_number() && value.get<double>() >= 0 && value.get<double>() <= 1;
}

bool is_count(const Json& value) {
  return value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < 4294967296.0;
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
  if (!row.is_object()) refuse(where, "is not an object", "one");
  require_key(
      row, row.contains("spec") ? "spec" : "kind", where, [](const Json& v) { return v.is_string(); },
      "a text");
  require_key(row, "accuracy", where, is_fraction, "a number in [0, 1]");
  require_key(
      row, "accuracy_ci95", where,
      [](const Json& v) { return v.is_array() && v.size() == 2 && is_fraction(v[0]) && is_fraction(v[1]); },
      "two numbers in [0, 1]");
  require_optional_numbers(row, {"balanced_accuracy", "auc", "ece", "nll", "attack_success_rate"}, where);
}

void check_evaluation(const Json& evaluation, const std::string& where) {
  require_key(evaluation, "n", where, is_count, "a number of images");
  require_key(
      evaluation, "split", where, [](const Json& v) { return v.is_string(); }, "a text");
  require_key(
      evaluation, "rows", where, [](const Json& v) { return v.is_array(); }, "a list");
  for (std::size_t i = 0; i < evaluation["rows"].size(); ++i)
    check_row(evaluation["rows"][i], where + ": rows[" + std::to_string(i) + "]");
}

Json epoch_line(const std::string& text, const std::string& where) {
  Json line = parse_object(text, where);
  require_key(line, "epoch", where, is_count, "a number of epochs");
  require_optional_numbers(line, {"loss", "train_accuracy", "val_accuracy", "val_auc", "images_per_second"},
                           where);
  return line;
}

Run read_run(const std::string& path) {
  Run run{path, read_model_card(find_model(path).card), {}, std::nullopt};
  const std::string metrics = path + "/metrics.jsonl", evaluation = path + "/evaluate.json";
  std::istringstream lines(read_text_file_if_there(metrics, kLargestFile).value_or(""));
  for (std::string line; std::getline(lines, line);)
    run.epochs.push_back(epoch_line(line, metrics + ":" + std::to_string(run.epochs.size() + 1)));
  if (const std::optional<std::string> text = read_text_file_if_there(evaluation, kLargestFile)) {
    run.evaluation = parse_object(*text, evaluation);
    check_evaluation(*run.evaluation, evaluation);
  }
  return run;
}

std::string percent(const Json& row, const char* key) {
  return row.contains(key) && row[key].is_number() ? printed("%.1f&nbsp;%%", 100 * row[key].get<double>())
                                                   : "–";
}

std::string decimal(const Json& row, const char* key, const char* format = "%.4f") {
  return row.contains(key) && row[key].is_number() ? printed(format, row[key].get<double>()) : "–";
}

std::string score_rows(const Run& run) {
  if (!run.evaluation)
    return "<tr><td colspan=\"8\">not evaluated: no evaluate.json in the run folder</td></tr>\n";
  std::string html;
  for (const Json& row : run.evaluation->at("rows")) {
    const Json& ci = row.at("accuracy_ci95");
    const std::string what = row.contains("spec") ? row.at("spec") : row.at("kind");
    html += "<tr><td>" + escaped(what) + "</td><td class=\"bar\"><span style=\"width:" +
            printed("%.1f%%", 100 * row.at("accuracy").get<double>()) + "\"></span><b>" +
            percent(row, "accuracy") + "</b></td><td>" + printed("%.1f", 100 * ci.at(0).get<double>()) +
            " – " + printed("%.1f&nbsp;%%", 100 * ci.at(1).get<double>()) + "</td><td>" +
            percent(row, "balanced_accuracy") + "</td><td>" + decimal(row, "auc") + "</td><td>" +
            decimal(row, "ece") + "</td><td>" + decimal(row, "nll") + "</td><td>" +
            percent(row, "attack_success_rate") + "</td></tr>\n";
  }
  return html;
}

std::string section(const Run& run) {
  std::string html = "<section><h2>" + escaped(run.card.method) + "</h2>\n<p>" + escaped(run.card.spec) +
                     ", " + std::to_string(run.card.classes) + " classes, seed " +
                     std::to_string(run.card.seed);
  if (run.evaluation)
    html += "; " + std::to_string(run.evaluation->at("n").get<std::int64_t>()) + " images of split " +
            escaped(run.evaluation->at("split").get<std::string>());
  html += "; folder " + escaped(run.path) +
          "</p>\n<div class=\"wide\"><table><thead><tr><th>images</th><th>accuracy</th>"
          "<th>95&nbsp;% interval</th><th>balanced</th><th>AUC</th><th>ECE</th><th>NLL</th><th>attack "
          "success</th></tr></thead><tbody>\n" +
          score_rows(run) + "</tbody></table></div>\n";
  if (!run.epochs.empty()) {
    html +=
        "<details><summary>Training, epoch by epoch</summary><div "
        "class=\"wide\"><table><thead><tr><th>epoch</th><th>loss</th>"
        "<th>train accuracy</th><th>val accuracy</th><th>val AUC</th><th>images/s</th></tr></thead><tbody>\n";
    for (const Json& e : run.epochs)
      html += "<tr><td>" + std::to_string(e.at("epoch").get<std::int64_t>() + 1) + "</td><td>" +
              decimal(e, "loss") + "</td><td>" + percent(e, "train_accuracy") + "</td><td>" +
              percent(e, "val_accuracy") + "</td><td>" + decimal(e, "val_auc") + "</td><td>" +
              decimal(e, "images_per_second", "%.1f") + "</td></tr>\n";
    html += "</tbody></table></div></details>\n";
  }
  return html + "</section>\n";
}

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Inocula report</title>
<style>
:root { color-scheme: light dark; --line: #8884; --bar: #3b82f655; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
.bar { position: relative; min-width: 8rem; }
.bar span { position: absolute; inset: 3px auto 3px 0; background: var(--bar); border-radius: 3px; }
.bar b { position: relative; font-weight: 600; }
summary { cursor: pointer; margin-top: .7rem; }
</style></head><body>
<h1>Robustness of the trained networks</h1>
<p>Accuracy under attack is the share of all images that are classified rightly before and after it.</p>
)";

std::string study_cell(const Json& cell, double unit) {
  const char* format = unit == 1 ? "%.4f" : "%.1f";
  const auto value = [&](const Json& v) {
    return v.is_number() ? printed(format, v.get<double>() / unit) : "–";
  };
  std::string html = "<b>" + value(cell.at("mean")) + "</b>";
  if (cell.contains("std")) html += " ± " + value(cell.at("std"));
  if (cell.contains("ci95"))
    html += "<br><small>" + value(cell.at("ci95").at(0)) + " – " + value(cell.at("ci95").at(1)) + "</small>";
  return html;
}

/// A table of a study: methods down, what they were judged on across.
std::string study_table(const Json& table) {
  const double unit = table.at("unit").get<double>();
  std::string html = "<h2>" + escaped(table.at("title").get<std::string>()) + (unit == 1 ? "" : ", %") +
                     "</h2>\n<div class=\"wide\"><table><thead><tr><th>method</th>";
  for (const Json& column : table.at("columns"))
    html += "<th title=\"" + escaped(column.at("spec").get<std::string>()) + "\">" +
            escaped(column.at("label").get<std::string>()) + "</th>";
  html += "</tr></thead><tbody>\n";
  for (const Json& row : table.at("rows")) {
    html += "<tr><td>" + escaped(row.at("method").get<std::string>()) + "</td>";
    for (const Json& cell : row.at("cells")) html += "<td>" + study_cell(cell, unit) + "</td>";
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

void write_report(const std::vector<std::string>& runs, const Json* results, const std::string& out) {
  std::string html = kHead;
  if (results != nullptr)
    for (const auto& [name, table] : results->at("tables").items()) html += study_table(table);
  for (const std::string& path : runs) html += section(read_run(path));
  write_file(out, html + "</body></html>\n");
}

namespace {

void run_report(const ReportOptions& o) {
  if (o.runs.empty()) fail(ErrorKind::usage, "report: no run folder given");
  require_creatable(o.out);
  write_report(o.runs, nullptr, o.out);
  if (!o.common.quiet) std::printf("%s\n", o.out.c_str());
}

}  // namespace

void add_report_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<ReportOptions>();
  CLI::App* app =
      program.add_subcommand("report", "One page of HTML from run folders and the evaluate.json inside them");
  app->add_option("DIR", o->runs, "Run folders");
  app->add_option("--out", o->out, "HTML file to write")->capture_default_str();
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_report(*o); }});
}

}  // namespace inocula
