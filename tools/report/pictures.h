// Images before and after.
#pragma once

#include <string>
#include <vector>

#include "tools/report/sources.h"

namespace inocula {

/// Of the first run of each series: the examples of its evaluation, each with what attacks and corruptions
/// made of it. Empty where no run has any.
std::string picture_grids(const std::vector<ReportSeries>& series);

}  // namespace inocula
