// Vega specifications and CSV lines.
#include "tools/report/charts.h"

#include <cmath>
#include <cstdio>
#include <set>

#include "tools/report/html.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

/// Okabe and Ito's colours, told apart by the colour-blind and on white and black alike.
const Json kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                       "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f"};
/// For paper without colours.
const Json kShapes = {"circle", "square", "triangle-up", "diamond", "cross", "triangle-down"};

Json base(int height) {
  return {{"width", 480},
          {"height", height},
          {"padding", 4},
          {"autosize", {{"type", "fit"}, {"contains", "padding"}}}};
}

Json axis(const char* scale, const char* orient, const std::string& title, bool percent,
          const char* grid_scale) {
  Json a{{"scale", scale}, {"orient", orient}, {"title", title}, {"tickCount", 5}, {"labelOverlap", true}};
  if (percent) a["format"] = "%";
  if (grid_scale != nullptr) a["grid"] = true, a["gridScale"] = grid_scale;
  return a;
}

/// What a chart is of, a picture and its numbers.
std::string figure_of(const std::string& id, const std::string& title, const Json& spec) {
  // Inside a string of JSON an angle bracket may be written as an escape; elsewhere there is none.
  std::string text;
  // A folder's name need not be UTF-8.
  for (const char c : spec.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  return "<figure class=\"chart\" id=\"" + html::escaped(id) + "\"><figcaption>" + html::escaped(title) +
         "</figcaption><div class=\"plot\" role=\"img\" aria-label=\"" + html::escaped(title) +
         "\"></div><script type=\"application/json\">" + text + "</script></figure>\n";
}

std::string csv_number(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return "";
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", *value);
  return text;
}

std::string csv_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

Json field(const char* name) {
  return {{"field", name}};
}

Json scaled(const char* scale, const char* name) {
  return {{"scale", scale}, {"field", name}};
}

}  // namespace

void Charts::add_csv(const std::string& id, const ChartPoint& p) {
  const auto end = [&](bool upper) -> std::optional<double> {
    if (!p.interval) return std::nullopt;
    return upper ? p.interval->second : p.interval->first;
  };
  csv_ += csv_text(id) + "," + csv_text(p.series) + "," + csv_text(p.line) + "," + csv_number(p.x) + "," +
          csv_number(p.y) + "," + csv_number(end(false)) + "," + csv_number(end(true)) + "," +
          csv_number(p.images) + "\n";
}

std::string Charts::figure(const LineChart& chart) {
  Json values = Json::array();
  std::set<std::string> drawn;
  for (const ChartPoint& p : chart.points) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) continue;
    add_csv(chart.id, p);
    drawn.insert(p.series);
    Json value{{"series", p.series}, {"line", p.series + "\n" + p.line}, {"x", p.x}, {"y", p.y}};
    // The area of a symbol grows with the images behind it, within reason.
    value["size"] = p.images ? 16 + 6 * std::sqrt(*p.images) : 36;
    if (p.interval) value["low"] = p.interval->first, value["high"] = p.interval->second;
    value["text"] = p.series + (p.line.empty() ? "" : ", " + p.line) + ": " +
                    (chart.fractions ? html::printed("%.1f %%", 100 * p.y) : html::printed("%.4g", p.y)) +
                    " at " + html::printed("%.4g", p.x) +
                    (p.images ? html::printed(", %.0f images", *p.images) : "");
    values.push_back(value);
  }
  if (values.empty()) return "";

  Json spec = base(280);
  spec["data"] = {{{"name", "points"}, {"values", values}}};
  Json colours = Json::array(), shapes = Json::array(), names = Json::array();
  for (std::size_t i = 0; i < series_.size(); ++i) {
    if (!drawn.contains(series_[i])) continue;
    names.push_back(series_[i]);
    colours.push_back(kColours[i % kColours.size()]);
    shapes.push_back(kShapes[i % kShapes.size()]);
  }
  const Json share = {0, 1}, all_x = {{"data", "points"}, {"field", "x"}},
             all_y = {{"data", "points"}, {"field", "y"}};
  spec["scales"] = {{{"name", "x"},
                     {"type", "linear"},
                     {"range", "width"},
                     {"zero", chart.diagonal},
                     {"nice", true},
                     {"domain", chart.diagonal ? share : all_x}},
                    {{"name", "y"},
                     {"type", "linear"},
                     {"range", "height"},
                     {"zero", false},
                     {"nice", !chart.fractions},
                     {"domain", chart.fractions ? share : all_y}},
                    {{"name", "colour"}, {"type", "ordinal"}, {"domain", names}, {"range", colours}},
                    {{"name", "shape"}, {"type", "ordinal"}, {"domain", names}, {"range", shapes}}};
  spec["axes"] = {axis("x", "bottom", chart.x_title, chart.diagonal, nullptr),
                  axis("y", "left", chart.y_title, chart.fractions, "x")};
  if (names.size() > 1)
    spec["legends"] = {{{"stroke", "colour"},
                        {"shape", "shape"},
                        {"orient", "bottom"},
                        {"direction", "horizontal"},
                        {"columns", {{"signal", "width < 420 ? 1 : width < 640 ? 2 : 3"}}},
                        {"labelLimit", 0},
                        {"symbolFillColor", "transparent"}}};

  Json marks = Json::array();
  if (chart.diagonal)
    marks.push_back({{"type", "rule"},
                     {"encode",
                      {{"update",
                        {{"x", {{"scale", "x"}, {"value", 0}}},
                         {"y", {{"scale", "y"}, {"value", 0}}},
                         {"x2", {{"scale", "x"}, {"value", 1}}},
                         {"y2", {{"scale", "y"}, {"value", 1}}},
                         {"stroke", {{"value", "currentColor"}}},
                         {"strokeDash", {{"value", {4, 4}}}},
                         {"strokeOpacity", {{"value", 0.5}}}}}}}});
  const Json of_line = {{"data", "line"}};
  const Json at_x = scaled("x", "x"), at_y = scaled("y", "y"), colour = scaled("colour", "series");
  marks.push_back(
      {{"type", "group"},
       {"from", {{"facet", {{"name", "line"}, {"data", "points"}, {"groupby", "line"}}}}},
       {"marks",
        {{{"type", "area"},
          {"from", of_line},
          {"encode",
           {{"update",
             {{"x", at_x},
              {"y", scaled("y", "low")},
              {"y2", scaled("y", "high")},
              {"fill", colour},
              {"fillOpacity", {{"value", 0.14}}},
              {"defined", {{"signal", "isValid(datum.low)"}}}}}}}},
         {{"type", "line"},
          {"from", of_line},
          {"encode",
           {{"update", {{"x", at_x}, {"y", at_y}, {"stroke", colour}, {"strokeWidth", {{"value", 2}}}}}}}},
         {{"type", "symbol"},
          {"from", of_line},
          {"encode",
           {{"update",
             {{"x", at_x},
              {"y", at_y},
              {"shape", scaled("shape", "series")},
              {"stroke", colour},
              {"fill", colour},
              {"size", {{"field", "size"}}},
              {"tooltip", field("text")}}}}}}}}});
  spec["marks"] = marks;
  return figure_of(chart.id, chart.title, spec);
}

std::string Charts::figure(const Histogram& chart) {
  const std::vector<std::string> kinds{chart.lower, chart.upper};
  Json values = Json::array();
  const auto count = static_cast<double>(chart.bins.size());
  for (std::size_t i = 0; i < chart.bins.size(); ++i) {
    const double first = static_cast<double>(i) / count, last = static_cast<double>(i + 1) / count;
    const auto [lower, upper] = chart.bins[i];
    for (const bool above : {false, true}) {
      const double n = above ? upper : lower;
      add_csv(chart.id, {kinds[above ? 1 : 0], first, n});
      values.push_back({{"kind", kinds[above ? 1 : 0]},
                        {"first", first},
                        {"last", last},
                        {"from", above ? lower : 0},
                        {"to", above ? lower + upper : lower},
                        {"text", html::printed("%.0f ", n) + kinds[above ? 1 : 0] +
                                     html::printed(", %.2f", first) + html::printed(" to %.2f", last)}});
    }
  }
  Json spec = base(150);
  spec["data"] = {{{"name", "bars"}, {"values", values}}};
  spec["scales"] = {
      {{"name", "x"}, {"type", "linear"}, {"range", "width"}, {"domain", {0, 1}}},
      {{"name", "y"},
       {"type", "linear"},
       {"range", "height"},
       {"nice", true},
       {"zero", true},
       {"domain", {{"data", "bars"}, {"field", "to"}}}},
      {{"name", "colour"}, {"type", "ordinal"}, {"domain", kinds}, {"range", {"#0072b2", "#d55e00"}}}};
  spec["axes"] = {axis("x", "bottom", chart.x_title, true, nullptr), axis("y", "left", "images", false, "x")};
  spec["legends"] = {{{"fill", "colour"}, {"orient", "bottom"}, {"direction", "horizontal"}}};
  spec["marks"] = {{{"type", "rect"},
                    {"from", {{"data", "bars"}}},
                    {"encode",
                     {{"update",
                       {{"x", scaled("x", "first")},
                        {"x2", scaled("x", "last")},
                        {"y", scaled("y", "from")},
                        {"y2", scaled("y", "to")},
                        {"fill", scaled("colour", "kind")},
                        {"tooltip", field("text")}}}}}}};
  return figure_of(chart.id, chart.title, spec);
}

}  // namespace inocula
