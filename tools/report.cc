// `inocula report`: one page of HTML that sets runs side by side.
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"
#include "io/atomic_file.h"
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
  std::vector<Json> epochs;
  Json evaluation;  ///< null where evaluate.json is missing
};

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

Json parse_json(const std::string& text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::bad_data, where, ": is not JSON as Inocula writes it");
  }
}

Run read_run(const std::string& path) {
  Run run{path, read_model_card(find_model(path).card), {}, nullptr};
  std::ifstream metrics(path + "/metrics.jsonl");
  for (std::string line; std::getline(metrics, line);)
    run.epochs.push_back(parse_json(line, path + "/metrics.jsonl"));
  std::ifstream evaluation(path + "/evaluate.json");
  if (evaluation) {
    std::ostringstream text;
    text << evaluation.rdbuf();
    run.evaluation = parse_json(text.str(), path + "/evaluate.json");
  }
  return run;
}

std::string percent(const Json& row, const char* key) {
  return row.contains(key) && row[key].is_number() ? printed("%.1f&nbsp;%%", 100 * row[key].get<double>())
                                                   : "–";
}

std::string decimal(const Json& row, const char* key) {
  return row.contains(key) && row[key].is_number() ? printed("%.4f", row[key].get<double>()) : "–";
}

std::string score_rows(const Run& run) {
  if (run.evaluation.is_null())
    return "<tr><td colspan=\"8\">not evaluated: no evaluate.json in the run folder</td></tr>\n";
  std::string html;
  for (const Json& row : run.evaluation.at("rows")) {
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
  if (!run.evaluation.is_null())
    html += "; " + std::to_string(run.evaluation.at("n").get<std::int64_t>()) + " images of split " +
            escaped(run.evaluation.at("split").get<std::string>());
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
      html += "<tr><td>" + std::to_string(e.value("epoch", 0) + 1) + "</td><td>" + decimal(e, "loss") +
              "</td><td>" + percent(e, "train_accuracy") + "</td><td>" + percent(e, "val_accuracy") +
              "</td><td>" + decimal(e, "val_auc") + "</td><td>" +
              printed("%.1f", e.value("images_per_second", 0.0)) + "</td></tr>\n";
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

void run_report(const ReportOptions& o) {
  if (o.runs.empty()) fail(ErrorKind::usage, "report: no run folder given");
  require_creatable(o.out);
  std::string html = kHead;
  for (const std::string& path : o.runs) html += section(read_run(path));
  write_file(o.out, html + "</body></html>\n");
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
