// Checks of all runs, gathered by series.
#include "tools/report/trust.h"

#include <algorithm>

#include "tools/report/html.h"
#include "tools/report/row_lists.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

std::string words_for(const std::string& check) {
  if (check == "iterative_at_least_as_strong") return "many steps are at least as strong as one";
  if (check == "gradients_at_least_as_strong") return "gradients are no worse than none";
  if (check == "falls_with_eps") return "accuracy falls as eps grows";
  if (check == "unbounded_breaks_every_image") return "without bounds PGD always succeeds";
  if (check == "more_steps_find_little_more") return "twice the steps find little more";
  if (check == "finds_an_image") return "however far, an adversarial image is found";
  if (check == "gradients_not_zero") return "the attack sees gradients";
  if (check == "norms_within_eps") return "perturbations are within eps, measured afresh";
  if (check == "search_finds_no_more") return "a search without gradients finds no more";
  if (check == "answers_repeat") return "the same image has the same answer";
  if (check == "answers_are_logits") return "answers are logits, no probabilities";
  if (check == "gradients_foretell_loss") return "a small step along the gradient raises the loss";
  return check;
}

/// Checks of one attack and kind over the runs of a series.
struct Gathered {
  std::string attack, check, says;
  std::size_t runs = 0, passed = 0;
};

std::vector<Gathered> gather(const ReportSeries& series) {
  std::vector<Gathered> list;
  for (const ReportRun& run : series.runs) {
    if (!run.evaluation || !run.evaluation->contains("checks")) continue;
    for (const Json& check : run.evaluation->at("checks")) {
      const std::string attack = check.at("attack"), name = check.at("check");
      auto found = list.begin();
      while (found != list.end() && (found->attack != attack || found->check != name)) ++found;
      if (found == list.end()) found = list.insert(list.end(), {attack, name, check.at("says")});
      const bool passed = check.at("passed");
      if (!passed && found->passed == found->runs) found->says = check.at("says");
      found->runs += 1;
      found->passed += passed ? 1 : 0;
    }
  }
  return list;
}

}  // namespace

std::string trust_line(const std::vector<ReportSeries>& series) {
  std::string worst;
  for (const ReportSeries& s : series)
    for (const ReportRun& run : s.runs) {
      if (!run.evaluation || !run.evaluation->contains("trust")) continue;
      const std::string trust = run.evaluation->at("trust");
      if (worst.empty() || trust == "fail" || (trust == "warn" && worst == "pass")) worst = trust;
    }
  if (worst.empty()) return "";
  return "<p>Trust: <a href=\"#trust\" class=\"" + std::string(worst == "pass" ? "pass" : "fail") + "\">" +
         html::escaped(worst) + "</a></p>\n";
}

std::string trust_panel(const std::vector<ReportSeries>& series) {
  std::string rows, unchecked;
  std::size_t checks = 0, failed = 0;
  for (const ReportSeries& s : series) {
    const std::vector<Gathered> found = gather(s);
    const bool attacked = std::any_of(s.rows.begin(), s.rows.end(),
                                      [](const Json& row) { return kind_of(row) == RowList::Kind::attack; });
    if (found.empty() && attacked) unchecked += (unchecked.empty() ? "" : ", ") + html::escaped(s.name);
    for (const Gathered& g : found) {
      const bool passed = g.passed == g.runs;
      checks += 1;
      failed += passed ? 0 : 1;
      rows += "<tr><td>" + html::escaped(s.name) + "</td><td title=\"" + html::escaped(g.attack) + "\">" +
              html::escaped(g.attack.substr(0, g.attack.find(',', g.attack.find("norm=")))) + "</td><td>" +
              words_for(html::escaped(g.check)) + "</td><td class=\"" +
              (passed ? "pass\">passed" : "fail\">failed") +
              (g.runs > 1 ? " (" + std::to_string(g.passed) + " of " + std::to_string(g.runs) + ")" : "") +
              "</td><td class=\"says\">" + html::escaped(g.says) + "</td></tr>\n";
    }
  }
  std::string verdict;
  if (!unchecked.empty())
    verdict += "<p><span class=\"fail\">Not checked:</span> the attacks on " + unchecked +
               "; evaluate without --no-trust-checks.</p>\n";
  if (checks == 0) return verdict;
  if (failed == 0)
    verdict += "<p><span class=\"pass\">All " + std::to_string(checks) + " checks passed.</span></p>\n";
  else
    verdict += "<p><span class=\"fail\">" + std::to_string(failed) + " of " + std::to_string(checks) +
               " checks failed:</span> the figures of those attacks are not to be relied on.</p>\n";
  return verdict + "<details" + (failed > 0 ? " open" : "") +
         "><summary>Every check</summary><div class=\"wide\"><table><thead><tr><th>method</th><th>attack</th>"
         "<th>check</th><th>verdict</th><th>measured</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div></details>\n";
}

}  // namespace inocula
