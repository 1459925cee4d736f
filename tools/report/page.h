// One page of HTML that sets runs and studies side by side, with nothing outside it.
#pragma once

#include <string>
#include <vector>

namespace inocula {

struct ReportPage {
  std::string html;
  std::string csv;  ///< the numbers of its charts: chart,series,line,x,y,y_low,y_high,images
};

/// Of run folders and study folders. The same folders give the same bytes. Throws Error as read_report_source
/// does.
ReportPage report_page(const std::vector<std::string>& folders);

/// Writes the page, and its CSV beside it, named like it. Errors: as report_page and AtomicFile.
void write_report(const std::vector<std::string>& folders, const std::string& out);

/// "report.charts.csv" of "report.html".
std::string csv_beside(const std::string& out);

}  // namespace inocula
