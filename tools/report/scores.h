// The tables of a report.
#pragma once

#include <string>
#include <vector>

#include "tools/report/row_lists.h"

namespace inocula {

/// A table of results.json: methods down, what they were judged on across.
std::string study_table(const nlohmann::ordered_json& table);

/// Every row of every series with its scores.
std::string score_tables(const std::vector<ReportSeries>& series);

/// Accuracy and AUC of each label by itself, where images have several: labels down, rows of evaluate.json
/// across; empty where no series has them.
std::string label_tables(const std::vector<ReportSeries>& series);

/// [label][predicted] of the row that stands for each list.
std::string confusion_matrices(const std::vector<RowList>& lists, const std::vector<ReportSeries>& series);

/// Reliability diagrams, one a list; and how many images are answered with which confidence.
std::string reliability_charts(const std::vector<RowList>& lists, const std::vector<ReportSeries>& series,
                               Charts& charts);
std::string confidence_histograms(const std::vector<RowList>& lists, const std::vector<ReportSeries>& series,
                                  Charts& charts);

/// What training took, run by run.
std::string cost_table(const std::vector<ReportSeries>& series);

}  // namespace inocula
