// The order of things on the page.
#include "tools/report/page.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "io/atomic_file.h"
#include "tools/report/assets.h"
#include "tools/report/charts.h"
#include "tools/report/html.h"
#include "tools/report/pictures.h"
#include "tools/report/row_lists.h"
#include "tools/report/scores.h"
#include "tools/report/sources.h"
#include "tools/report/trust.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;
using html::escaped;
using html::section;

/// Every source's series, each with a name that no other has.
std::vector<ReportSeries> series_of(const std::vector<ReportSource>& sources) {
  std::vector<ReportSeries> all;
  const auto taken = [&](const std::string& name) {
    return std::any_of(all.begin(), all.end(), [&](const ReportSeries& s) { return s.name == name; });
  };
  for (const ReportSource& source : sources)
    for (ReportSeries series : source.series) {
      const std::string folder = std::filesystem::path(source.path).lexically_normal().filename().string();
      if (taken(series.name)) series.name += " (" + (source.results ? source.path : folder) + ")";
      while (taken(series.name)) series.name += "'";
      all.push_back(std::move(series));
    }
  return all;
}

std::string title_of(const std::vector<ReportSource>& sources) {
  if (sources.size() != 1) return "Runs compared";
  const ReportSource& only = sources[0];
  const std::string title = only.results ? only.results->at("title").get<std::string>() : "";
  return title.empty() ? "Robustness of the trained networks" : title;
}

/// What was judged, in a line a source.
std::string facts(const std::vector<ReportSource>& sources) {
  std::string html;
  for (const ReportSource& source : sources) {
    html += "<p class=\"facts\">" + escaped(source.path) + ": ";
    const Json* what = source.results ? &*source.results : nullptr;
    if (what == nullptr && source.series[0].runs[0].evaluation) what = &*source.series[0].runs[0].evaluation;
    if (what == nullptr) {
      html += "not evaluated";
    } else {
      html += std::to_string(what->at("n").get<std::int64_t>()) + " images of split " +
              escaped(what->at("split").get<std::string>());
      if (source.results)
        html += ", " + std::to_string(source.series.size()) + " methods, " +
                std::to_string(what->at("seeds").size()) + " seeds";
      // Of one network: what else the figures depend on. Files of others may lack them.
      const auto seed = what->find("seed"), device = what->find("device");
      if (seed != what->end() && seed->is_number_integer()) html += ", seed " + seed->dump();
      if (device != what->end() && device->is_string()) html += ", " + escaped(device->get<std::string>());
    }
    html += "</p>\n";
  }
  return html;
}

std::string study_tables(const std::vector<ReportSource>& sources) {
  std::string html;
  for (const ReportSource& source : sources) {
    if (!source.results) continue;
    if (sources.size() > 1) html += "<p class=\"facts\">" + escaped(source.path) + "</p>\n";
    for (const auto& [name, table] : source.results->at("tables").items()) html += study_table(table);
    if (source.results->contains("published") && source.results->at("published").is_string())
      html += "<p class=\"words\">Published: " + escaped(source.results->at("published").get<std::string>()) +
              "</p>\n";
  }
  return html;
}

std::string training_curves(const std::vector<ReportSeries>& series, Charts& charts) {
  struct Curve {
    const char *key, *title;
    bool fractions;
  };
  std::string html;
  for (const Curve& curve :
       {Curve{"loss", "training loss", false}, Curve{"train_accuracy", "training accuracy", true},
        Curve{"val_accuracy", "validation accuracy, clean images", true}}) {
    LineChart chart{.id = std::string("training: ") + curve.key,
                    .title = curve.title,
                    .x_title = "epoch",
                    .y_title = curve.fractions ? "accuracy" : "loss",
                    .points = {},
                    .fractions = curve.fractions};
    for (const ReportSeries& s : series)
      for (const ReportRun& run : s.runs)
        for (const Json& e : run.epochs)
          if (e.contains(curve.key) && e[curve.key].is_number())
            chart.points.push_back({.series = s.name,
                                    .x = e.at("epoch").get<double>() + 1,
                                    .y = e[curve.key].get<double>(),
                                    .line = "seed " + std::to_string(run.card.seed)});
    html += charts.figure(chart);
  }
  return html.empty() ? "" : "<div class=\"grid\">\n" + html + "</div>\n";
}

std::string settings(const std::vector<ReportSeries>& series) {
  std::string html;
  for (const ReportSeries& s : series)
    for (const ReportRun& run : s.runs) {
      html += "<details><summary>" + escaped(s.name) + ", seed " + std::to_string(run.card.seed) +
              "</summary>\n<pre>" + escaped("folder = " + run.path + "\n");
      for (const auto& [key, value] : run.record.items())
        html += escaped(key + " = " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n");
      if (run.evaluation && run.evaluation->contains("asked"))
        html += escaped("evaluation = " + run.evaluation->at("asked").dump(1) + "\n");
      html += "</pre>\n" + (run.config.empty() ? "" : "<pre>" + escaped(run.config) + "</pre>\n") +
              "</details>\n";
    }
  return html;
}

std::string head(const std::string& title) {
  // Scripts and styles of the page's own, pictures inside it, and nothing from anywhere else.
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'; "
         "script-src 'unsafe-inline'; img-src data:\">\n<title>" +
         escaped(title) + "</title>\n<style>\n" + std::string(assets::style()) +
         "</style></head><body>\n<h1>" + escaped(title) + "</h1>\n";
}

/// Links to the sections that are there.
std::string contents(const std::string& body) {
  std::string html = "<nav>";
  constexpr std::string_view kBegin = "<section id=\"", kMiddle = "\"><h2>", kEnd = "</h2>";
  for (std::size_t at = body.find(kBegin); at != std::string::npos; at = body.find(kBegin, at + 1)) {
    const std::size_t id = at + kBegin.size(), middle = body.find(kMiddle, id),
                      text = middle + kMiddle.size();
    html += "<a href=\"#" + body.substr(id, middle - id) + "\">" +
            body.substr(text, body.find(kEnd, text) - text) + "</a> ";
  }
  return html + "</nav>\n";
}

}  // namespace

ReportPage report_page(const std::vector<std::string>& folders) {
  std::vector<ReportSource> sources;
  for (const std::string& folder : folders) sources.push_back(read_report_source(folder));
  const std::vector<ReportSeries> series = series_of(sources);
  std::vector<std::string> names;
  for (const ReportSeries& s : series) names.push_back(s.name);
  Charts charts(names);
  const std::vector<RowList> lists = row_lists(series), shown = one_of_each_kind(lists);

  std::string body;
  body += section(
      "tables", "Results",
      "Mean over the seeds ± their standard deviation; below, 95&nbsp;% intervals over the images. Accuracy "
      "under attack is the share of all images that are classified rightly before and after it.",
      study_tables(sources));
  body += section(
      "trust", "Can the attacks be believed?",
      "An attack that fails for a technical reason looks like a robust network. These checks find the usual "
      "reasons.",
      trust_panel(series));
  body += section(
      "attacks", "Accuracy under attack",
      "How many images are still classified rightly when an attacker may change each by up to eps. Bands: "
      "95&nbsp;%.",
      accuracy_charts(lists, RowList::Kind::attack, series, charts));
  body +=
      section("corruptions", "Accuracy under noise", "The same for noise of rising level, which no one aims.",
              accuracy_charts(lists, RowList::Kind::corruption, series, charts));
  body += section(
      "pictures", "Images, before and after",
      "The change is drawn around grey and made larger by the factor below it; the answer is green where it "
      "is right.",
      picture_grids(series));
  body += section(
      "reliability", "Calibration",
      "Of the images that are answered with a confidence of 80&nbsp;%, 80&nbsp;% should be right: the dashed "
      "line. Below it a network is too sure of itself.",
      reliability_charts(shown, series, charts));
  body +=
      section("confidence", "Confidence of the answers", "", confidence_histograms(shown, series, charts));
  body += section(
      "labels", "Labels by themselves",
      "Where images have several labels: the share of right decisions on each, and its AUC. An attack "
      "is made on each label alone.",
      label_tables(series));
  body += section("confusion", "Confusion matrices", "Numbers of images by true class and answer.",
                  confusion_matrices(shown, series));
  body += section("scores", "Every score", "", score_tables(series));
  body += section("training", "Training", "", training_curves(series, charts));
  body += section("cost", "Time and memory", "Images a second of training, validation left out.",
                  cost_table(series));
  body += section("settings", "Settings, versions and data", "", settings(series));

  ReportPage page;
  page.csv = charts.csv();
  page.html =
      head(title_of(sources)) + facts(sources) + trust_line(series) +
      "<noscript><p class=\"facts\">Charts are drawn by a script, and scripts are off here: their numbers "
      "are "
      "in the .charts.csv beside this page.</p></noscript>\n" +
      contents(body) + body +
      "<footer>Written by inocula. Charts are drawn by Vega, whose licence is part of this page.</footer>\n"
      "<script type=\"text/plain\" id=\"licences\">\n" +
      std::string(assets::licences()) + "</script>\n<script>\n" + std::string(assets::vega()) +
      "</script>\n<script>\n" + std::string(assets::charts()) + "</script>\n</body></html>\n";
  return page;
}

std::string csv_beside(const std::string& out) {
  return std::filesystem::path(out).replace_extension(".charts.csv").string();
}

void write_report(const std::vector<std::string>& folders, const std::string& out) {
  const ReportPage page = report_page(folders);
  write_file(csv_beside(out), page.csv);
  write_file(out, page.html);
}

}  // namespace inocula
