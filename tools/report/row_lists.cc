// Grouping by kind and spec.
#include "tools/report/row_lists.h"

#include <algorithm>
#include <limits>

#include "tools/report/html.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

/// A spec without the keys whose values differ from row to row.
std::string without_strength(const std::string& spec) {
  const std::size_t colon = spec.find(':');
  if (colon == std::string::npos) return spec;
  std::string rest = spec.substr(0, colon);
  for (std::size_t begin = colon + 1; begin < spec.size();) {
    const std::size_t end = std::min(spec.find(',', begin), spec.size());
    const std::string pair = spec.substr(begin, end - begin);
    if (!pair.starts_with("eps=") && !pair.starts_with("alpha=") && !pair.starts_with("level="))
      rest += "," + pair;
    begin = end + 1;
  }
  return rest;
}

std::string key_of(const Json& row) {
  return kind_of(row) == RowList::Kind::clean ? "clean" : without_strength(row.value("spec", ""));
}

std::string label_of(const Json& row) {
  switch (kind_of(row)) {
    case RowList::Kind::attack: {
      const auto steps = row.at("steps").get<std::int64_t>();
      return attack_name(row) + ", " + norm_name(row) +
             (steps > 1 ? ", " + std::to_string(steps) + " steps" : "");
    }
    case RowList::Kind::corruption: {
      std::string name = row.at("corruption");
      std::replace(name.begin(), name.end(), '_', ' ');
      return name;
    }
    default:
      return "clean";
  }
}

}  // namespace

RowList::Kind kind_of(const Json& row) {
  const std::string kind = row.value("kind", "");
  return kind == "attack"       ? RowList::Kind::attack
         : kind == "corruption" ? RowList::Kind::corruption
                                : RowList::Kind::clean;
}

std::string attack_name(const Json& row) {
  const std::string spec = row.value("spec", "attack");
  return spec.substr(0, spec.find(':'));
}

std::string norm_name(const Json& row) {
  const std::string norm = row.at("norm");
  return norm == "l2" ? "L2" : norm == "l1" ? "L1" : norm == "l0" ? "L0" : "L∞";
}

double strength(const Json& row) {
  switch (kind_of(row)) {
    case RowList::Kind::attack:
      return row.at("eps").is_null() ? std::numeric_limits<double>::infinity() : row.at("eps").get<double>();
    case RowList::Kind::corruption:
      return row.at("level").get<double>();
    default:
      return 0;
  }
}

std::vector<std::size_t> RowList::rows_of(const ReportSeries& series) const {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < series.rows.size(); ++i)
    if (kind_of(series.rows[i]) == kind && key_of(series.rows[i]) == key) numbers.push_back(i);
  return numbers;
}

const Json* RowList::shown_row(const ReportSeries& series) const {
  for (const std::size_t i : rows_of(series))
    if (strength(series.rows[i]) == shown) return &series.rows[i];
  return nullptr;
}

std::string RowList::shown_label() const {
  if (kind == Kind::clean) return label;
  return label + (kind == Kind::attack ? ", eps " : ", level ") + html::printed("%.4g", shown);
}

std::vector<RowList> row_lists(const std::vector<ReportSeries>& series) {
  std::vector<RowList> lists;
  for (const ReportSeries& s : series)
    for (const Json& row : s.rows) {
      const auto same = [&](const RowList& l) { return l.kind == kind_of(row) && l.key == key_of(row); };
      if (std::any_of(lists.begin(), lists.end(), same)) continue;
      RowList list{kind_of(row), label_of(row), key_of(row)};
      if (std::any_of(lists.begin(), lists.end(), [&](const RowList& l) { return l.label == list.label; }))
        list.label = list.key;
      const std::vector<std::size_t> rows = list.rows_of(s);
      list.shown = strength(s.rows[rows[rows.size() / 2]]);
      lists.push_back(std::move(list));
    }
  return lists;
}

std::vector<RowList> one_of_each_kind(const std::vector<RowList>& lists) {
  std::vector<RowList> chosen;
  for (const RowList::Kind kind : {RowList::Kind::clean, RowList::Kind::attack, RowList::Kind::corruption}) {
    const auto first =
        std::find_if(lists.begin(), lists.end(), [&](const RowList& l) { return l.kind == kind; });
    if (first != lists.end()) chosen.push_back(*first);
  }
  return chosen;
}

std::string accuracy_charts(const std::vector<RowList>& lists, RowList::Kind kind,
                            const std::vector<ReportSeries>& series, Charts& charts) {
  std::string figures;
  for (const RowList& list : lists) {
    if (list.kind != kind) continue;
    LineChart chart{.id = "accuracy: " + list.key,
                    .title = list.label,
                    .x_title = kind == RowList::Kind::attack ? "eps, pixels from 0 to 1" : "level",
                    .y_title = "accuracy",
                    .points = {},
                    .fractions = true};
    for (const ReportSeries& s : series) {
      const std::vector<std::size_t> rows = list.rows_of(s);
      if (rows.empty()) continue;
      std::vector<const Json*> points;
      // Without perturbation there is what the clean row says.
      if (kind_of(s.rows[0]) == RowList::Kind::clean && strength(s.rows[rows[0]]) > 0)
        points.push_back(&s.rows[0]);
      for (const std::size_t i : rows) points.push_back(&s.rows[i]);
      std::stable_sort(points.begin(), points.end(),
                       [](const Json* a, const Json* b) { return strength(*a) < strength(*b); });
      for (const Json* row : points) {
        const Json& ci = row->at("accuracy_ci95");
        chart.points.push_back({s.name, strength(*row), row->at("accuracy").get<double>(),
                                std::pair{ci.at(0).get<double>(), ci.at(1).get<double>()}});
      }
    }
    figures += charts.figure(chart);
  }
  return figures.empty() ? "" : "<div class=\"grid\">\n" + figures + "</div>\n";
}

}  // namespace inocula
