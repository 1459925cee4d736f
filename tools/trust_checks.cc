// From rows and two more attacks to verdicts.
#include "tools/trust_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "engine/spec.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kTolerance = 0.01;          ///< of accuracies
constexpr double kMostZeroGradients = 0.05;  ///< of all gradients
constexpr double kPath = 2.5;                ///< of the unbounded attack's steps together, in radii

double number(const Json& row, const char* key) {
  return row.at(key).get<double>();
}

template <class... Values>
std::string says(const char* format, Values... values) {
  char text[200];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

}  // namespace

Json trust_checks(const std::string& attack, const Json& rows, const Shape& image, std::int64_t classes,
                  const RunAttack& run) {
  Json list = Json::array();
  const auto add = [&](const char* check, bool passed, const std::string& text) {
    list.push_back({{"attack", attack}, {"check", check}, {"passed", passed}, {"says", text}});
  };
  std::vector<const Json*> by_eps;
  for (const Json& row : rows) by_eps.push_back(&row);
  std::stable_sort(by_eps.begin(), by_eps.end(),
                   [](const Json* a, const Json* b) { return number(*a, "eps") < number(*b, "eps"); });
  const Json& largest = *by_eps.back();
  const std::string norm = largest.at("norm");
  const auto steps = largest.at("steps").get<std::int64_t>();
  const bool bounded = std::isfinite(number(largest, "eps")), has_pgd = norm == "linf" || norm == "l2";

  if (steps > 1 && bounded && has_pgd) {
    const Json one = run("fgsm:norm=" + norm + ",eps=" + format_number(number(largest, "eps")), 0);
    const double iterative = number(largest, "accuracy"), single = number(one, "accuracy");
    add("iterative_at_least_as_strong", iterative <= single + kTolerance,
        says("at eps %.4g: %.1f %% right after %lld steps, %.1f %% after one", number(largest, "eps"),
             100 * iterative, static_cast<long long>(steps), 100 * single));
  }

  double most_risen = 0, lowest = 1;
  for (const Json* row : by_eps) {
    lowest = std::min(lowest, number(*row, "accuracy"));
    most_risen = std::max(most_risen, number(*row, "accuracy") - lowest);
  }
  if (by_eps.size() > 1)
    add("falls_with_eps", most_risen <= kTolerance,
        says("%.1f %% at eps %.4g, %.1f %% at %.4g; rises by %.1f points at most",
             100 * number(*by_eps.front(), "accuracy"), number(*by_eps.front(), "eps"),
             100 * number(largest, "accuracy"), number(largest, "eps"), 100 * most_risen));

  if (has_pgd) {
    const double everything = norm == "linf" ? 1.0 : std::sqrt(static_cast<double>(image.per_sample()));
    const Json unbounded =
        run("pgd:norm=" + norm + ",eps=" + format_number(everything) + ",path=" + format_number(kPath) +
                ",steps=" + std::to_string(std::max(steps, kUnboundedSteps)),
            kUnboundedImages);
    const double chance = 1.0 / static_cast<double>(classes);
    add("unbounded_reaches_chance", number(unbounded, "accuracy") <= chance,
        says("%.1f %% of %lld images right at eps %.4g, which allows any image; chance is %.1f %%",
             100 * number(unbounded, "accuracy"),
             static_cast<long long>(unbounded.at("n").get<std::int64_t>()), everything, 100 * chance));
  }

  double zero = 0, excess = 0;
  const Json* farthest = &rows.front();
  for (const Json& row : rows) {
    zero = std::max(zero, number(row, "zero_gradient_fraction"));
    // Norms are sums of rounded squares.
    const double eps = number(row, "eps"), slack = 1e-6 + 1e-5 * eps;
    const double beyond = (number(row, "max_norm") - eps) / slack;
    if (&row == &rows.front() || beyond > excess) excess = beyond, farthest = &row;
  }
  add("gradients_not_zero", zero <= kMostZeroGradients,
      says("%.2f %% of the gradients were zero", 100 * zero));
  if (bounded && has_pgd)
    add("norms_within_eps", excess <= 1,
        says("largest %s norm %.6g at eps %.6g", norm.c_str(), number(*farthest, "max_norm"),
             number(*farthest, "eps")));
  return list;
}

}  // namespace inocula
