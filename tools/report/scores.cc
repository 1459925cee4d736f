// Tables from rows.
#include "tools/report/scores.h"

#include "tools/report/html.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;
using html::decimal;
using html::escaped;
using html::percent;
using html::printed;

std::string study_cell(const Json& cell, double unit) {
  const char* format = unit == 1 ? "%.4f" : "%.1f";
  const auto value = [&](const Json& v) {
    return v.is_number() ? printed(format, v.get<double>() / unit) : "–";
  };
  std::string html = "<b>" + value(cell.at("mean")) + "</b>";
  if (cell.contains("std")) html += " ± " + value(cell.at("std"));
  if (cell.contains("ci95"))
    html += "<br><small>" + value(cell.at("ci95").at(0)) + " – " + value(cell.at("ci95").at(1)) + "</small>";
  if (cell.contains("published")) html += "<br><small>published: " + value(cell.at("published")) + "</small>";
  return html;
}

/// Scores that rows of some tasks alone have: of grades, and of several labels an image.
struct TaskColumn {
  const char* key;
  const char* heading;
  bool share;
};
constexpr TaskColumn kTaskColumns[] = {{"quadratic_weighted_kappa", "weighted kappa", false},
                                       {"mean_absolute_error", "grades off", false},
                                       {"subset_accuracy", "all labels right", true}};

std::string task_cells(const Json& row, const Json& first) {
  std::string html;
  for (const TaskColumn& c : kTaskColumns)
    if (first.contains(c.key))
      html += "<td>" + (c.share ? percent(row, c.key) : decimal(row, c.key)) + "</td>";
  return html;
}

std::string name_of(const Json& row) {
  return escaped((row.contains("spec") ? row.at("spec") : row.at("kind")).get<std::string>());
}

/// `first`: the series' first row, which says what columns there are.
std::string score_row(const Json& row, const Json& first) {
  const Json& ci = row.at("accuracy_ci95");
  return "<tr><td class=\"spec\">" + name_of(row) + "</td><td class=\"bar\"><span style=\"width:" +
         printed("%.1f%%", 100 * row.at("accuracy").get<double>()) + "\"></span><b>" +
         percent(row, "accuracy") + "</b></td><td>" + printed("%.1f", 100 * ci.at(0).get<double>()) + " – " +
         printed("%.1f&nbsp;%%", 100 * ci.at(1).get<double>()) + "</td><td>" +
         percent(row, "balanced_accuracy") + "</td><td>" + decimal(row, "auc") + "</td><td>" +
         decimal(row, "ece") + "</td><td>" + decimal(row, "rmsce") + "</td><td>" + decimal(row, "brier") +
         "</td><td>" + decimal(row, "nll") + "</td><td>" + decimal(row, "entropy") + "</td><td>" +
         percent(row, "attack_success_rate") + "</td>" + task_cells(row, first) + "</tr>\n";
}

}  // namespace

std::string study_table(const Json& table) {
  const double unit = table.at("unit").get<double>();
  std::string html = "<h3>" + escaped(table.at("title").get<std::string>()) + (unit == 1 ? "" : ", %") +
                     "</h3>\n<div class=\"wide\"><table><thead><tr><th>method</th>";
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

std::string score_tables(const std::vector<ReportSeries>& series) {
  std::string html;
  for (const ReportSeries& s : series) {
    html += "<details" + std::string(series.size() < 3 ? " open" : "") + "><summary>" + escaped(s.name) +
            "</summary>\n";
    if (s.rows.empty()) {
      html += "<p>not evaluated: no evaluate.json in the run folder</p></details>\n";
      continue;
    }
    html +=
        "<div class=\"wide\"><table><thead><tr><th>images</th><th>accuracy</th><th>95&nbsp;% interval</th>"
        "<th>balanced</th><th>AUC</th><th>ECE</th><th>RMSCE</th><th>Brier</th><th>NLL</th><th>entropy</th>"
        "<th>attack success</th>";
    for (const TaskColumn& c : kTaskColumns)
      if (s.rows.front().contains(c.key)) html += std::string("<th>") + c.heading + "</th>";
    html += "</tr></thead><tbody>\n";
    for (const Json& row : s.rows) html += score_row(row, s.rows.front());
    html += "</tbody></table></div></details>\n";
  }
  return html;
}

std::string label_tables(const std::vector<ReportSeries>& series) {
  std::string html;
  for (const ReportSeries& s : series) {
    if (s.rows.empty() || !s.rows.front().contains("per_label")) continue;
    html += "<details" + std::string(series.size() < 3 ? " open" : "") + "><summary>" + escaped(s.name) +
            "</summary>\n<div class=\"wide\"><table><thead><tr><th>label</th>";
    for (const Json& row : s.rows) html += "<th class=\"spec\">" + name_of(row) + "</th>";
    html += "</tr></thead><tbody>\n";
    for (std::size_t label = 0; label < s.rows.front().at("per_label").size(); ++label) {
      html += "<tr><td>" + std::to_string(label) + "</td>";
      for (const Json& row : s.rows) {
        const bool there = row.contains("per_label") && label < row.at("per_label").size();
        const Json of_label = there ? row.at("per_label").at(label) : Json::object();
        html += "<td><b>" + percent(of_label, "accuracy") + "</b><br><small>AUC " + decimal(of_label, "auc") +
                "</small></td>";
      }
      html += "</tr>\n";
    }
    html += "</tbody></table></div></details>\n";
  }
  return html;
}

std::string confusion_matrices(const std::vector<RowList>& lists, const std::vector<ReportSeries>& series) {
  constexpr std::size_t kMostClasses = 32;  // beyond, a table is no picture any more
  std::string html;
  for (const RowList& list : lists)
    for (const ReportSeries& s : series) {
      const Json* row = list.shown_row(s);
      if (row == nullptr || !row->contains("confusion") || row->at("confusion").size() > kMostClasses)
        continue;
      const Json& counts = row->at("confusion");
      html += "<figure><figcaption>" + escaped(s.name + ": " + list.shown_label()) +
              "</figcaption><div class=\"wide\"><table class=\"matrix\"><thead><tr><th>true \\ answer</th>";
      for (std::size_t k = 0; k < counts.size(); ++k) html += "<th>" + std::to_string(k) + "</th>";
      html += "</tr></thead><tbody>\n";
      for (std::size_t label = 0; label < counts.size(); ++label) {
        double all = 0;
        for (const Json& n : counts[label]) all += n.get<double>();
        html += "<tr><th>" + std::to_string(label) + "</th>";
        for (const Json& n : counts[label]) {
          const double share = all > 0 ? n.get<double>() / all : 0;
          html += "<td style=\"background:rgb(0 114 178/" + printed("%.0f%%", 60 * share) + ")\">" +
                  std::to_string(n.get<std::int64_t>()) + "</td>";
        }
        html += "</tr>\n";
      }
      html += "</tbody></table></div></figure>\n";
    }
  return html.empty() ? "" : "<div class=\"small grid\">\n" + html + "</div>\n";
}

std::string reliability_charts(const std::vector<RowList>& lists, const std::vector<ReportSeries>& series,
                               Charts& charts) {
  std::string html;
  for (const RowList& list : lists) {
    LineChart chart{.id = "reliability: " + list.shown_label(),
                    .title = list.shown_label(),
                    .x_title = "confidence",
                    .y_title = "accuracy",
                    .points = {},
                    .fractions = true,
                    .diagonal = true};
    for (const ReportSeries& s : series) {
      const Json* row = list.shown_row(s);
      if (row == nullptr || !row->contains("reliability")) continue;
      for (const Json& bin : row->at("reliability"))
        if (bin.at("confidence").is_number())
          chart.points.push_back({.series = s.name,
                                  .x = bin.at("confidence").get<double>(),
                                  .y = bin.at("correct").get<double>() / bin.at("count").get<double>(),
                                  .images = bin.at("count").get<double>()});
    }
    html += charts.figure(chart);
  }
  return html.empty() ? "" : "<div class=\"grid\">\n" + html + "</div>\n";
}

std::string confidence_histograms(const std::vector<RowList>& lists, const std::vector<ReportSeries>& series,
                                  Charts& charts) {
  std::string html;
  for (const RowList& list : lists)
    for (const ReportSeries& s : series) {
      const Json* row = list.shown_row(s);
      if (row == nullptr || !row->contains("reliability")) continue;
      Histogram chart{.id = "confidence: " + s.name + ", " + list.shown_label(),
                      .title = s.name + ": " + list.shown_label(),
                      .x_title = "confidence",
                      .lower = "right",
                      .upper = "wrong",
                      .bins = {}};
      for (const Json& bin : row->at("reliability")) {
        const double correct = bin.at("correct").get<double>();
        chart.bins.emplace_back(correct, bin.at("count").get<double>() - correct);
      }
      html += charts.figure(chart);
    }
  return html.empty() ? "" : "<div class=\"small grid\">\n" + html + "</div>\n";
}

std::string cost_table(const std::vector<ReportSeries>& series) {
  std::string html;
  for (const ReportSeries& s : series)
    for (const ReportRun& run : s.runs) {
      double seconds = 0, rate = 0;
      for (const Json& e : run.epochs) {
        seconds += html::number_or(e, "seconds", 0);
        rate += html::number_or(e, "images_per_second", 0) / static_cast<double>(run.epochs.size());
      }
      const double step_bytes = html::number_or(run.record, "step_bytes", 0);
      html += "<tr><td>" + escaped(s.name) + "</td><td>" + std::to_string(run.card.seed) + "</td><td>" +
              escaped(run.card.spec) + "</td><td>" + decimal(run.record, "parameters", "%.0f") + "</td><td>" +
              std::to_string(run.epochs.size()) + "</td><td>" +
              (run.epochs.empty() ? "–" : printed("%.1f&nbsp;min", seconds / 60)) + "</td><td>" +
              (run.epochs.empty() ? "–" : printed("%.0f", rate)) + "</td><td>" +
              (step_bytes > 0 ? printed("%.1f&nbsp;MiB", step_bytes / (1 << 20)) : "–") + "</td></tr>\n";
    }
  return html.empty() ? ""
                      : "<div class=\"wide\"><table><thead><tr><th>method</th><th>seed</th><th>network</th>"
                        "<th>parameters</th><th>epochs</th><th>training</th><th>images/s</th><th>memory of a "
                        "step</th></tr></thead><tbody>\n" +
                            html + "</tbody></table></div>\n";
}

}  // namespace inocula
