// Means over seeds, and tables.
#include "tools/study_results.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "attacks/corruption.h"
#include "attacks/registry.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

/// Neighbouring rows of evaluate.json that one column stands for.
struct RowGroup {
  std::string label, spec;
  std::size_t first = 0, count = 1;
};

/// "pgd:norm=l2,eps=1;2" of two rows: "pgd l2, mean of 2 eps".
std::vector<RowGroup> groups_of(const EvaluationOptions& evaluation) {
  std::vector<RowGroup> groups{{"clean", "clean", 0, 1}};
  const auto add = [&](std::string label, const std::string& spec, std::size_t count, const char* of_what) {
    if (count > 1) label += ", mean of " + std::to_string(count) + " " + of_what;
    // Two of a kind are told apart by all that the file says of them.
    if (std::any_of(groups.begin(), groups.end(), [&](const RowGroup& g) { return g.label == label; }))
      label = spec;
    groups.push_back({label, spec, groups.back().first + groups.back().count, count});
  };
  for (const std::string& spec : evaluation.attacks) {
    const std::vector<attacks::NamedAttack> list = attacks::parse_attacks(spec);
    add(spec.substr(0, spec.find(':')) + " " + attacks::to_string(list.front().norm), spec, list.size(),
        "eps");
  }
  for (const std::string& spec : evaluation.corruptions) {
    const std::vector<attacks::NamedCorruption> list = attacks::parse_corruptions(spec);
    add(list.front().name, spec, list.size(), "levels");
  }
  return groups;
}

struct Spread {
  double mean = 0;
  std::optional<double> std;  ///< of the sample; none of a single number
};

Spread spread_of(const std::vector<double>& values) {
  Spread s;
  // Summed first: of shares up to 1 the quotient then is at most 1, in spite of rounding.
  for (const double v : values) s.mean += v;
  s.mean /= static_cast<double>(values.size());
  if (values.size() < 2) return s;
  double squares = 0;
  for (const double v : values) squares += (v - s.mean) * (v - s.mean);
  s.std = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return s;
}

/// A number of a row, or NaN: JSON has no other word for it than null.
double number(const Json& value) {
  return value.is_number() ? value.get<double>() : std::nan("");
}

bool is_interval(const std::string& key) {
  constexpr std::string_view kEnd = "_ci95";
  return key.size() > kEnd.size() && key.compare(key.size() - kEnd.size(), kEnd.size(), kEnd) == 0;
}

/// What tells rows apart and is the same for every seed.
bool names_row(const std::string& key) {
  static const std::vector<std::string> names = {"kind",       "spec",  "eps", "norm",     "steps",
                                                 "corruption", "level", "n",   "decisions"};
  return std::find(names.begin(), names.end(), key) != names.end();
}

/// Counts of every seed together.
Json summed_confusion(const std::vector<const Json*>& seeds) {
  Json sum = *seeds.front();
  for (std::size_t s = 1; s < seeds.size(); ++s)
    for (std::size_t label = 0; label < sum.size(); ++label)
      for (std::size_t k = 0; k < sum.size(); ++k)
        sum[label][k] = sum[label][k].get<std::int64_t>() + seeds[s]->at(label).at(k).get<std::int64_t>();
  return sum;
}

/// Bins of every seed together; a bin's confidence is the mean over all its images.
Json summed_reliability(const std::vector<const Json*>& seeds) {
  Json bins = Json::array();
  for (std::size_t b = 0; b < seeds.front()->size(); ++b) {
    std::int64_t count = 0, correct = 0;
    double confidence = 0;
    for (const Json* seed : seeds) {
      const Json& bin = seed->at(b);
      const auto n = bin.at("count").get<std::int64_t>();
      count += n;
      correct += bin.at("correct").get<std::int64_t>();
      if (n > 0) confidence += static_cast<double>(n) * bin.at("confidence").get<double>();
    }
    bins.push_back({{"count", count},
                    {"correct", correct},
                    {"confidence", count > 0 ? Json(confidence / static_cast<double>(count)) : Json()}});
  }
  return bins;
}

/// Scores of each label: their means over the seeds.
Json mean_of_labels(const std::vector<const Json*>& seeds) {
  Json mean = *seeds.front();
  for (std::size_t label = 0; label < mean.size(); ++label)
    for (auto& [key, value] : mean[label].items()) {
      if (key == "label") continue;
      const auto mean_of = [&](const auto& number_in) {
        std::vector<double> of_seeds;
        for (const Json* seed : seeds) of_seeds.push_back(number(number_in(seed->at(label).at(key))));
        return spread_of(of_seeds).mean;
      };
      if (is_interval(key))
        for (const std::size_t end : {0, 1})
          value[end] = mean_of([=](const Json& interval) { return interval.at(end); });
      else
        value = mean_of([](const Json& plain) { return plain; });
    }
  return mean;
}

/// Row `index` of every seed's evaluation as one.
Json mean_row(const std::vector<StudyPart>& seeds, std::size_t index) {
  const auto row_of = [&](const StudyPart& part) -> const Json& {
    return part.evaluation.at("rows").at(index);
  };
  Json mean;
  for (const auto& [key, value] : row_of(seeds.front()).items()) {
    if (names_row(key)) {
      mean[key] = value;
    } else if (key == "confusion" || key == "reliability" || key == "per_label") {
      std::vector<const Json*> of_seeds;
      for (const StudyPart& part : seeds) of_seeds.push_back(&row_of(part).at(key));
      mean[key] = key == "confusion"   ? summed_confusion(of_seeds)
                  : key == "per_label" ? mean_of_labels(of_seeds)
                                       : summed_reliability(of_seeds);
    } else if (is_interval(key)) {
      Json ends = Json::array();
      for (const std::size_t end : {0, 1}) {
        std::vector<double> of_seeds;
        for (const StudyPart& part : seeds) of_seeds.push_back(number(row_of(part).at(key).at(end)));
        ends.push_back(spread_of(of_seeds).mean);
      }
      mean[key] = ends;
    } else if (value.is_number() || value.is_null()) {
      std::vector<double> of_seeds;
      for (const StudyPart& part : seeds) of_seeds.push_back(number(row_of(part).at(key)));
      const Spread s = spread_of(of_seeds);
      mean[key] = s.mean;
      if (s.std) mean[key + "_std"] = *s.std;
      if (s.std && key == "accuracy") mean["accuracy_of_seeds"] = of_seeds;
    }
  }
  return mean;
}

/// What was published of a column, or null.
Json published_of(const StudyPlan& plan, const std::string& method, const RowGroup& group,
                  const std::string& key) {
  for (const PublishedValue& p : plan.published)
    if (p.method == method && p.score == key && p.against == group.spec) return p.value;
  return nullptr;
}

/// The mean of a score over a group's rows, and its spread over the seeds.
Json cell(const std::vector<StudyPart>& seeds, const RowGroup& group, const std::string& key) {
  std::vector<double> of_seeds, low, high;
  for (const StudyPart& part : seeds) {
    double sum = 0, sum_low = 0, sum_high = 0;
    bool bounded = true;
    for (std::size_t i = group.first; i < group.first + group.count; ++i) {
      const Json& row = part.evaluation.at("rows").at(i);
      sum += number(row.at(key));
      bounded = bounded && row.contains(key + "_ci95");
      if (bounded) sum_low += number(row.at(key + "_ci95").at(0));
      if (bounded) sum_high += number(row.at(key + "_ci95").at(1));
    }
    const auto count = static_cast<double>(group.count);
    of_seeds.push_back(sum / count);
    if (bounded) low.push_back(sum_low / count), high.push_back(sum_high / count);
  }
  const Spread s = spread_of(of_seeds);
  Json c{{"mean", s.mean}};
  if (s.std) c["std"] = *s.std;
  if (low.size() == seeds.size()) c["ci95"] = {spread_of(low).mean, spread_of(high).mean};
  return c;
}

struct Column {
  std::string label;
  const RowGroup* group;
  std::string key;
};

Json table_of(const std::string& title, const std::vector<Column>& columns, const StudyPlan& plan,
              const std::vector<std::vector<StudyPart>>& parts, double unit) {
  Json table{{"title", title}, {"unit", unit}, {"columns", Json::array()}, {"rows", Json::array()}};
  for (const Column& c : columns)
    table["columns"].push_back({{"label", c.label}, {"spec", c.group->spec}, {"key", c.key}});
  for (std::size_t m = 0; m < plan.methods.size(); ++m) {
    Json row{{"method", plan.methods[m].name}, {"cells", Json::array()}};
    for (const Column& c : columns) {
      Json found = cell(parts[m], *c.group, c.key);
      const Json published = published_of(plan, plan.methods[m].name, *c.group, c.key);
      if (!published.is_null()) found["published"] = published;
      row["cells"].push_back(std::move(found));
    }
    table["rows"].push_back(row);
  }
  return table;
}

}  // namespace

Json study_results(const StudyPlan& plan, const std::vector<std::vector<StudyPart>>& parts) {
  const std::vector<RowGroup> groups = groups_of(plan.evaluation);
  const Json& first = parts.front().front().evaluation;
  Json results{{"title", plan.title},
               {"split", plan.evaluation.subject.split},
               {"seeds", plan.seeds},
               {"n", first.at("n")},
               {"classes", first.at("classes")},
               {"task", first.value("task", to_string(Task::multi_class))}};
  if (!plan.published_source.empty()) results["published"] = plan.published_source;
  for (std::size_t m = 0; m < plan.methods.size(); ++m) {
    Json& method = results["methods"][plan.methods[m].name];
    method["train"] = {{"method", plan.methods[m].train.method.method},
                       {"model", plan.methods[m].train.model},
                       {"epochs", plan.methods[m].train.epochs}};
    for (const char* key : {"loss", "train_accuracy", "val_accuracy", "val_auc"}) {
      std::vector<double> of_seeds;
      for (const StudyPart& part : parts[m])
        if (part.last_epoch.contains(key)) of_seeds.push_back(number(part.last_epoch.at(key)));
      if (of_seeds.size() == parts[m].size()) method["train"][key] = spread_of(of_seeds).mean;
    }
    method["evaluate"]["rows"] = Json::array();
    for (std::size_t i = 0; i < first.at("rows").size(); ++i)
      method["evaluate"]["rows"].push_back(mean_row(parts[m], i));
  }
  std::vector<Column> accuracy, calibration;
  for (const RowGroup& g : groups) accuracy.push_back({g.label, &g, "accuracy"});
  for (const RowGroup& g : groups) calibration.push_back({"RMSCE, " + g.label, &g, "rmsce"});
  for (const RowGroup& g : groups) calibration.push_back({"entropy (nats), " + g.label, &g, "entropy"});
  calibration.push_back({"entropy over samples, clean", &groups.front(), "entropy_over_samples"});
  results["tables"]["accuracy"] = table_of("Accuracy", accuracy, plan, parts, 0.01);
  results["tables"]["calibration"] = table_of("Calibration and uncertainty", calibration, plan, parts, 1);
  return results;
}

std::string print_table(const Json& table) {
  const bool percent = table.at("unit").get<double>() != 1;
  const auto value = [&](const Json& v) {
    char text[32];
    std::snprintf(text, sizeof text, percent ? "%.1f" : "%.4f", number(v) / table.at("unit").get<double>());
    return std::string(text);
  };
  std::string text = table.at("title").get<std::string>() + (percent ? ", %\n" : "\n");
  for (std::size_t c = 0; c < table.at("columns").size(); ++c) {
    text += "  " + table.at("columns")[c].at("label").get<std::string>() + "\n";
    for (const Json& row : table.at("rows")) {
      const Json& cell = row.at("cells").at(c);
      char line[160];
      std::snprintf(line, sizeof line, "    %-24s %8s", row.at("method").get<std::string>().c_str(),
                    value(cell.at("mean")).c_str());
      text += line;
      if (cell.contains("std")) text += " ± " + value(cell.at("std"));
      if (cell.contains("ci95"))
        text += "  (" + value(cell.at("ci95").at(0)) + " to " + value(cell.at("ci95").at(1)) + ")";
      if (cell.contains("published")) text += "  published " + value(cell.at("published"));
      text += "\n";
    }
  }
  return text;
}

}  // namespace inocula
