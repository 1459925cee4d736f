// Keys as in the documented format.
#include "tools/score_json.h"

#include <cstdio>

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

void add_scores(Json& row, const attacks::Scores& s, double accuracy, const attacks::Interval& ci) {
  row["n"] = s.n;
  row["accuracy"] = accuracy;
  row["accuracy_ci95"] = {ci.low, ci.high};
  row["balanced_accuracy"] = s.balanced_accuracy;
  row["auc"] = s.auc;
  row["ece"] = s.ece;
  row["rmsce"] = s.rmsce;
  row["rmsce_top_label"] = s.rmsce_top_label;
  row["brier"] = s.brier;
  row["nll"] = s.nll;
  row["entropy"] = s.entropy;
}

}  // namespace

Json clean_row(const attacks::Evaluation& e) {
  const attacks::Scores s = attacks::score(e);
  Json row{{"kind", "clean"}};
  add_scores(row, s, s.accuracy, s.accuracy_ci95);
  return row;
}

Json attack_row(const attacks::Evaluation& e, const attacks::NamedAttack& attack) {
  const attacks::Robustness r = attacks::judge_robustness(e);
  Json row{{"kind", "attack"},
           {"spec", attack.spec()},
           {"eps", attack.eps},
           {"norm", attacks::to_string(attack.norm)},
           {"steps", attack.steps}};
  add_scores(row, attacks::score(e), r.robust_accuracy, r.robust_accuracy_ci95);
  row["attack_success_rate"] = r.success_rate;
  row["clean_correct"] = r.clean_correct;
  row["fooled"] = r.clean_correct - r.robust_correct;
  row["max_norm"] = attack.norm == attacks::Norm::linf ? r.max_linf : r.max_l2;
  row["max_norm_linf"] = r.max_linf;
  row["max_norm_l2"] = r.max_l2;
  row["zero_gradient_fraction"] = r.zero_gradient_fraction;
  return row;
}

std::optional<std::string> missing_class_warning(const attacks::Evaluation& e) {
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
