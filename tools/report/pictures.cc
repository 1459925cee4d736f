// Figures from the examples of evaluate.json.
#include "tools/report/pictures.h"

#include "tools/report/html.h"
#include "tools/report/row_lists.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

std::string answer(const Json& shown, const Json& label) {
  const bool right = shown.at("predicted") == label;
  return std::string("<span class=\"") + (right ? "pass" : "fail") + "\">class " +
         std::to_string(shown.at("predicted").get<std::int64_t>()) + "</span>, " +
         html::percent(shown, "confidence");
}

std::string picture(const Json& address, const std::string& alt, const std::string& caption) {
  return "<figure><img src=\"" + html::escaped(address.get<std::string>()) + "\" alt=\"" +
         html::escaped(alt) + "\"><figcaption>" + caption + "</figcaption></figure>\n";
}

std::string name_of(const Json& row) {
  const bool attack = kind_of(row) == RowList::Kind::attack;
  const std::string name = attack ? attack_name(row) + " " + norm_name(row)
                                  : row.value("corruption", row.value("spec", row.value("kind", "")));
  return name + (attack ? " eps " : " level ") + html::printed("%.3g", strength(row));
}

std::string sample(const Json& example, const Json& rows) {
  const std::string number = std::to_string(example.at("index").get<std::int64_t>());
  std::string html =
      "<div class=\"sample\"><p class=\"facts\">image " + number + ", class " +
      std::to_string(example.at("label").get<std::int64_t>()) + "</p><div class=\"samples\">\n" +
      picture(example.at("image"), "image " + number, "as it is<br>" + answer(example, example.at("label")));
  for (const Json& made : example.at("rows")) {
    const std::string name = name_of(rows.at(made.at("row").get<std::size_t>()));
    html += picture(made.at("change"), "change of image " + number + " by " + name,
                    "change × " + html::printed("%.3g", made.at("scale").get<double>())) +
            picture(made.at("image"), "image " + number + " after " + name,
                    html::escaped(name) + "<br>" + answer(made, example.at("label")));
  }
  return html + "</div></div>\n";
}

}  // namespace

std::string picture_grids(const std::vector<ReportSeries>& series) {
  std::string html;
  for (const ReportSeries& s : series) {
    if (s.runs.empty() || !s.runs[0].evaluation || !s.runs[0].evaluation->contains("examples") ||
        s.runs[0].evaluation->at("examples").empty())
      continue;
    const Json& evaluation = *s.runs[0].evaluation;
    html += "<details open><summary>" + html::escaped(s.name) +
            (s.runs.size() > 1 ? ", seed " + std::to_string(s.runs[0].card.seed) : "") +
            "</summary><div class=\"pictures\">\n";
    for (const Json& example : evaluation.at("examples")) html += sample(example, evaluation.at("rows"));
    html += "</div></details>\n";
  }
  return html;
}

}  // namespace inocula
