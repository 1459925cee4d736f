// Keys as in the documented format.
#include "tools/score_json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

/// Keys in the order of the document, with the numbers behind them.
struct ScoreKey {
  const char* key;
  double attacks::Scores::*value;
  double attacks::Scores::*resampled = value;  ///< whose spread over resamples is the interval
};
/// A resample's noise is taken off a debiased error once and is in it twice: like the authors of the
/// estimator, intervals are given of the plug-in one.
constexpr ScoreKey kScoreKeys[] = {
    {"balanced_accuracy", &attacks::Scores::balanced_accuracy},
    {"auc", &attacks::Scores::auc},
    {"ece", &attacks::Scores::ece},
    {"mce", &attacks::Scores::mce},
    {"adaptive_ece", &attacks::Scores::adaptive_ece},
    {"rmsce", &attacks::Scores::rmsce, &attacks::Scores::rmsce_plug_in},
    {"rmsce_top_label", &attacks::Scores::rmsce_top_label, &attacks::Scores::rmsce_top_label_plug_in},
    {"rmsce_plug_in", &attacks::Scores::rmsce_plug_in},
    {"rmsce_top_label_plug_in", &attacks::Scores::rmsce_top_label_plug_in},
    {"brier", &attacks::Scores::brier},
    {"nll", &attacks::Scores::nll},
    {"entropy", &attacks::Scores::entropy},
    {"entropy_over_samples", &attacks::Scores::entropy_over_samples},
};

/// Of classes that are grades.
constexpr ScoreKey kOrdinalKeys[] = {
    {"quadratic_weighted_kappa", &attacks::Scores::quadratic_weighted_kappa},
    {"mean_absolute_error", &attacks::Scores::mean_absolute_error},
};

std::vector<ScoreKey> keys_of(Task task) {
  std::vector<ScoreKey> keys(std::begin(kScoreKeys), std::end(kScoreKeys));
  if (task == Task::ordinal) keys.insert(keys.end(), std::begin(kOrdinalKeys), std::end(kOrdinalKeys));
  return keys;
}

Json pair(const attacks::Interval& i) {
  return {i.low, i.high};
}

/// Of the decisions of each label: how many images have it, how many are right.
Json scores_of_labels(const attacks::Predictions& p, const std::vector<bool>& right) {
  Json list = Json::array();
  for (std::int64_t label = 0; label < p.columns; ++label) {
    std::int64_t with_label = 0, correct = 0;
    for (auto row = static_cast<std::size_t>(label); row < p.size();
         row += static_cast<std::size_t>(p.columns)) {
      with_label += p.label[row];
      correct += right[row] ? 1 : 0;
    }
    const attacks::LabelScores s = attacks::score_label(p, label);
    list.push_back({{"label", label},
                    {"images_with_label", with_label},
                    {"accuracy", static_cast<double>(correct) / static_cast<double>(p.images())},
                    {"accuracy_ci95", pair(attacks::wilson95(correct, p.images()))},
                    {"balanced_accuracy", s.balanced_accuracy},
                    {"auc", s.auc}});
  }
  return list;
}

/// Of each confidence bin: how many, how many right, their mean confidence.
Json reliability_diagram(const attacks::Predictions& p) {
  Json list = Json::array();
  for (const attacks::ReliabilityBin& b : attacks::confidence_bins(p))
    list.push_back({{"count", static_cast<std::int64_t>(b.count)},
                    {"correct", static_cast<std::int64_t>(b.sum_y)},
                    {"confidence", b.count > 0 ? Json(b.sum_p / b.count) : Json()}});
  return list;
}

/// [label][predicted]: numbers of images; of several labels of decisions, [there][answered].
Json confusion_matrix(const attacks::Predictions& p) {
  const auto k = static_cast<std::size_t>(p.classes);
  std::vector<std::vector<std::int64_t>> counts(k, std::vector<std::int64_t>(k));
  for (std::size_t i = 0; i < p.size(); ++i)
    counts[static_cast<std::size_t>(p.label[i])][static_cast<std::size_t>(p.predicted[i])] += 1;
  return counts;
}

/// `robust`: of an attack, whose accuracy counts the decisions that are right before and after it.
void add_scores(Json& row, const attacks::Evaluation& e, const Scoring& scoring,
                const std::optional<std::vector<bool>>& robust = {}) {
  const attacks::Predictions predictions(e.logits, e.label, e.classes, scoring.temperature, e.columns);
  const attacks::Scores s = attacks::score(predictions);
  const std::vector<bool> right = robust ? *robust : predictions.right();
  const double accuracy =
      static_cast<double>(std::count(right.begin(), right.end(), true)) / static_cast<double>(right.size());
  row["n"] = s.n;
  row["accuracy"] = accuracy;
  row["accuracy_ci95"] = pair(attacks::wilson95_of_mean(accuracy, s.n));
  const std::vector<ScoreKey> keys = keys_of(scoring.task);
  std::vector<attacks::Interval> intervals;
  if (scoring.bootstrap.resamples > 0)
    intervals =
        attacks::bootstrap95(predictions, scoring.bootstrap, [&](const attacks::Predictions& resample) {
          const attacks::Scores of_resample = attacks::score(resample);
          std::vector<double> values;
          for (const ScoreKey& k : keys) values.push_back(of_resample.*k.resampled);
          return values;
        });
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string key = keys[i].key;
    row[key] = s.*keys[i].value;
    if (!intervals.empty()) row[key + "_ci95"] = pair(intervals[i]);
  }
  row["entropy_bits"] = s.entropy / std::log(2.0);
  row["entropy_normalised"] = s.entropy / std::log(static_cast<double>(e.classes));
  row["confusion"] = confusion_matrix(predictions);
  row["reliability"] = reliability_diagram(predictions);
  if (scoring.task != Task::multi_label) return;
  const double subset = attacks::subset_accuracy(right, e.columns);
  row["decisions"] = right.size();
  row["subset_accuracy"] = subset;
  row["subset_accuracy_ci95"] = pair(attacks::wilson95_of_mean(subset, s.n));
  row["per_label"] = scores_of_labels(predictions, right);
}

/// The largest of norms over radii, which are eps times the images' factors; infinite where something lies
/// beyond a radius of 0.
double largest_of_radius(const attacks::Evaluation& e, attacks::Norm norm, double eps) {
  double largest = 0;
  for (std::size_t i = 0; i < e.norms.size(); ++i) {
    const double distance =
        attacks::Norms{e.norms[i].linf, e.norms[i].l2, e.norms[i].l1, e.norms[i].l0}.of(norm);
    if (distance > 0) largest = std::max(largest, distance / (eps * e.eps_scale[i]));
  }
  return largest;
}

}  // namespace

Json clean_row(const attacks::Evaluation& e, const Scoring& scoring) {
  Json row{{"kind", "clean"}};
  add_scores(row, e, scoring);
  return row;
}

Json attack_row(const attacks::StagedEvaluation& staged, const attacks::NamedAttack& attack,
                const Scoring& scoring) {
  const attacks::Evaluation& e = staged.evaluation;
  const attacks::Robustness r = attacks::judge_robustness(e);
  Json row{{"kind", "attack"},
           {"spec", attack.spec()},
           {"eps", std::isinf(attack.eps) ? Json() : Json(attack.eps)},
           {"norm", attacks::to_string(attack.norm)},
           {"steps", attack.steps}};
  add_scores(row, e, scoring, r.robust);
  row["attack_success_rate"] = r.success_rate;
  row["clean_correct"] = r.clean_correct;
  row["fooled"] = r.fooled();
  row["max_norm"] = r.largest.of(attack.norm);
  if (!e.eps_scale.empty() && std::isfinite(attack.eps))
    row["max_norm_over_eps"] = largest_of_radius(e, attack.norm, attack.eps);
  row["median_norm"] = r.fooled_median.of(attack.norm);
  row["max_norm_linf"] = r.largest.linf;
  row["max_norm_l2"] = r.largest.l2;
  row["max_norm_l1"] = r.largest.l1;
  row["max_norm_l0"] = r.largest.l0;
  row["zero_gradient_fraction"] = r.zero_gradient_fraction;
  row["image_forward_passes"] = e.image_passes.forward;
  row["image_backward_passes"] = e.image_passes.backward;
  if (staged.stages.size() < 2) return row;
  row["stages"] = Json::array();
  for (const attacks::StageReport& s : staged.stages)
    row["stages"].push_back({{"spec", s.spec},
                             {"tried", s.tried},
                             {"broken", s.broken},
                             {"image_forward_passes", s.image_passes.forward},
                             {"image_backward_passes", s.image_passes.backward},
                             {"seconds", s.seconds}});
  return row;
}

Json corruption_row(const attacks::Evaluation& e, const attacks::NamedCorruption& corruption,
                    const Scoring& scoring) {
  Json row{{"kind", "corruption"},
           {"spec", corruption.spec()},
           {"corruption", corruption.name},
           {"level", corruption.level}};
  add_scores(row, e, scoring);
  return row;
}

std::optional<std::string> missing_class_warning(const attacks::Evaluation& e) {
  if (e.columns > 1) {
    std::string one_sided;
    for (std::int64_t label = 0; label < e.columns; ++label) {
      std::int64_t with_label = 0;
      for (std::int64_t i = 0; i < e.n; ++i)
        with_label += e.label[static_cast<std::size_t>(i * e.columns + label)];
      if (with_label == 0 || with_label == e.n)
        one_sided += (one_sided.empty() ? "" : ", ") + std::to_string(label);
    }
    if (one_sided.empty()) return std::nullopt;
    return "auc is undefined: of the " + std::to_string(e.n) + " images all or none have label " + one_sided;
  }
  const std::vector<std::int64_t> absent = attacks::absent_classes(e.label, e.classes);
  if (absent.empty()) return std::nullopt;
  return "auc is undefined: none of the " + std::to_string(e.n) + " images is of class " +
         std::to_string(absent.front()) +
         (absent.size() > 1 ? " (" + std::to_string(absent.size()) + " classes have none)" : "");
}

std::string score_heading() {
  return "accuracy  95 % interval      balanced  AUC     ECE     NLL     what";
}

std::string score_line(const Json& row) {
  const auto number = [&](const char* key) {
    return row.at(key).is_number() ? row.at(key).get<double>() : 0.0 / 0.0;
  };
  const std::string what =
      row.contains("spec") ? row.at("spec").get<std::string>() : row.at("kind").get<std::string>();
  char text[512];
  std::snprintf(text, sizeof text, "%7.2f%%  %6.2f%% to %6.2f%%  %7.2f%%  %6.4f  %6.4f  %6.4f  %s",
                100 * number("accuracy"), 100 * row.at("accuracy_ci95").at(0).get<double>(),
                100 * row.at("accuracy_ci95").at(1).get<double>(), 100 * number("balanced_accuracy"),
                number("auc"), number("ece"), number("nll"), what.c_str());
  return text;
}

}  // namespace inocula
