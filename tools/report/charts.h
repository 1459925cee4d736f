// The charts of a report as Vega specifications, and their numbers as CSV.
//
// Satyanarayan et al., "Reactive Vega", IEEE TVCG 2016.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace inocula {

struct ChartPoint {
  std::string series;
  double x = 0, y = 0;
  std::optional<std::pair<double, double>> interval = {};  ///< of y
  std::string line = {};              ///< tells lines of one series apart, such as its seeds
  std::optional<double> images = {};  ///< behind the point
};

/// Points of a series, joined by x.
struct LineChart {
  std::string id, title, x_title, y_title;
  std::vector<ChartPoint> points;
  bool fractions = false;  ///< y is a share, drawn from 0 to 100 %
  bool diagonal = false;   ///< x is a share too; where both are equal is marked
};

/// Counts by bins of equal width of [0, 1], in two kinds one above the other.
struct Histogram {
  std::string id, title, x_title;
  std::string lower, upper;  ///< the kinds' names
  std::vector<std::pair<double, double>> bins;
};

/// Every chart of a page: figures of HTML that charts.js draws.
class Charts {
 public:
  /// Series get their colour and shape by their place here, in all charts alike.
  explicit Charts(std::vector<std::string> series) : series_(std::move(series)) {}

  std::string figure(const LineChart& chart);
  std::string figure(const Histogram& chart);

  /// chart,series,line,x,y,y_low,y_high,images: a line for each point drawn so far.
  const std::string& csv() const { return csv_; }

 private:
  void add_csv(const std::string& id, const ChartPoint& point);

  std::vector<std::string> series_;
  std::string csv_ = "chart,series,line,x,y,y_low,y_high,images\n";
};

}  // namespace inocula
