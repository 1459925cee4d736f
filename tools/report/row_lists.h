// Rows of evaluate.json that belong together: one attack at rising eps, one corruption at rising levels.
#pragma once

#include <string>
#include <vector>

#include "tools/report/charts.h"
#include "tools/report/sources.h"

namespace inocula {

/// One kind of row, in every series that has it.
struct RowList {
  enum class Kind { clean, attack, corruption };
  Kind kind = Kind::clean;
  std::string label;  ///< "pgd, L2, 20 steps"
  std::string key;    ///< what the rows' specs have in common
  double shown = 0;   ///< eps or level of the row that stands for all: the middle one of the first series

  /// Numbers of a series' rows that are of this list.
  std::vector<std::size_t> rows_of(const ReportSeries& series) const;
  /// The row that stands for the list, or none.
  const nlohmann::ordered_json* shown_row(const ReportSeries& series) const;
  /// "pgd, L2, 20 steps, eps 0.375"
  std::string shown_label() const;
};

RowList::Kind kind_of(const nlohmann::ordered_json& row);

/// Of an attack's row: "pgd", and "L2" or "L∞".
std::string attack_name(const nlohmann::ordered_json& row);
std::string norm_name(const nlohmann::ordered_json& row);

/// Eps of an attack's row, level of a corruption's, 0 of a clean one.
double strength(const nlohmann::ordered_json& row);

/// All lists, in the order in which rows come.
std::vector<RowList> row_lists(const std::vector<ReportSeries>& series);

/// Clean, attacked, corrupted: of each kind the list that comes first.
std::vector<RowList> one_of_each_kind(const std::vector<RowList>& lists);

/// Accuracy against eps or level, from the clean images on.
std::string accuracy_charts(const std::vector<RowList>& lists, RowList::Kind kind,
                            const std::vector<ReportSeries>& series, Charts& charts);

}  // namespace inocula
