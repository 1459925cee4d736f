// The panel that says whether figures under attack can be believed.
#pragma once

#include <string>
#include <vector>

#include "tools/report/sources.h"

namespace inocula {

/// The worst verdict of all runs, with a link to the panel; empty where nothing was checked.
std::string trust_line(const std::vector<ReportSeries>& series);

/// A line for each check of tools/trust_checks.h and each series: passed by how many of its runs, and what
/// the first that failed (or the first) says. Attacks that were not
/// checked are named; empty where there are none.
std::string trust_panel(const std::vector<ReportSeries>& series);

}  // namespace inocula
