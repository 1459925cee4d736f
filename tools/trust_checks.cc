// From rows and two more attacks to verdicts.
#include "tools/trust_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "attacks/registry.h"
#include "engine/spec.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kTolerance = 0.01;           ///< of accuracies
constexpr double kBlackBoxTolerance = 0.002;  ///< of accuracies, as AutoAttack's flag has it
constexpr double kMostZeroGradients = 0.05;   ///< of all gradients
constexpr double kPath = 2.5;                 ///< of the unbounded attack's steps together, in radii
constexpr double kMostFoundBySearch = 0.02;   ///< of the images that an attack left
constexpr double kMostFoundByMore = 0.05;     ///< of those that it left to twice the steps
constexpr double kMostUnbroken = 0.05;        ///< of the images that any other may take the place of
constexpr double kLeastTold = 0.1;            ///< of what the most frequent answer misses
constexpr double kLogitTolerance = 1e-4;      ///< of the largest logit
constexpr double kLeastRisen = 0.8;           ///< of the images that a small step changes
constexpr double kSumTolerance = 1e-5;        ///< of probabilities

double number(const Json& row, const char* key) {
  return row.at(key).get<double>();
}

template <class... Values>
std::string says(const char* format, Values... values) {
  char text[200];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

/// What a row's accuracy counts.
double judged(const Json& row) {
  return number(row, row.contains("decisions") ? "decisions" : "n");
}

/// Of these, a number: accuracies are compared by it, since a share that was rounded says too little.
std::int64_t right(const Json& row) {
  return std::llround(number(row, "accuracy") * judged(row));
}

/// A share of so many, and one in any case.
std::int64_t at_least_one(double share, double of) {
  constexpr double kRounding = 1e-9;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(share * of + kRounding));
}

/// What a failed check says of the figures.
enum class Severity {
  warn,  ///< they may be too good
  fail,  ///< they are wrong, or the attack is
};

/// The list of one attack's verdicts.
class Verdicts {
 public:
  explicit Verdicts(std::string attack) : attack_(std::move(attack)) {}

  void add(const char* check, Severity severity, bool passed, const std::string& text) {
    list_.push_back({{"attack", attack_},
                     {"check", check},
                     {"passed", passed},
                     {"severity", severity == Severity::fail ? "fail" : "warn"},
                     {"says", text}});
  }
  Json take() { return std::move(list_); }

 private:
  std::string attack_;
  Json list_ = Json::array();
};

bool is_bounded(const Json& row) {
  const Json& norm = row.at("norm");
  return (norm == "linf" || norm == "l2" || norm == "l1") && row.at("eps").is_number();
}

attacks::NamedAttack attack_of(const Json& row) {
  return attacks::parse_attacks(row.at("spec")).front();
}

/// What less than a gradient of the label's loss can be held against.
bool is_strong(const Json& row) {
  const attacks::NamedAttack attack = attack_of(row);
  return attack.sees_gradients && attack.untargeted && attack.steps > 1;
}

/// A row's attack with twice the steps.
std::string twice_the_steps(const Json& row) {
  const std::string spec = row.at("spec"), key = ",steps=";
  const std::size_t begin = spec.find(key) + key.size(), end = std::min(spec.find(',', begin), spec.size());
  return spec.substr(0, begin) + std::to_string(2 * std::stoll(spec.substr(begin, end - begin))) +
         spec.substr(end);
}

/// At its largest eps, beside one step.
void check_against_one_step(const Json& row, const TrustRuns& runs, Verdicts& verdicts) {
  const double eps = number(row, "eps");
  const Json one =
      runs.afresh("fgsm:norm=" + row.at("norm").get<std::string>() + ",eps=" + format_number(eps), 0);
  verdicts.add(
      "iterative_at_least_as_strong", Severity::fail,
      right(row) <= right(one) + at_least_one(kTolerance, judged(row)),
      says("at eps %.4g: %.1f %% right after %lld steps, %.1f %% after one", eps,
           100 * number(row, "accuracy"), static_cast<long long>(row.at("steps").get<std::int64_t>()),
           100 * number(one, "accuracy")));
}

/// At its largest eps, on what the attack left.
void check_survivors(const Json& row, const TrustRuns& runs, Verdicts& verdicts) {
  const double eps = number(row, "eps");
  const auto check = [&](const char* name, Severity severity, const std::string& spec, std::int64_t images,
                         double most, const std::string& what) {
    const Json again = runs.on_survivors(spec, images);
    const double tried = number(again, "tried"), broken = number(again, "broken");
    verdicts.add(
        name, severity, broken <= static_cast<double>(at_least_one(most, tried)),
        says("at eps %.4g: %s broke %.0f of %.0f images that were left", eps, what.c_str(), broken, tried));
  };
  const std::string queries = std::to_string(kProbeQueries);
  if (row.at("norm") != "l1")
    check("search_finds_no_more", Severity::fail,
          "square:norm=" + row.at("norm").get<std::string>() + ",eps=" + format_number(eps) +
              ",queries=" + queries,
          kProbedSurvivors, kMostFoundBySearch, "a search of " + queries + " queries without gradients");
  check("more_steps_find_little_more", Severity::warn, twice_the_steps(row), kResumedSurvivors,
        kMostFoundByMore, "twice the steps");
}

/// Of rows in rising order of eps.
void check_order(const std::vector<const Json*>& by_eps, Verdicts& verdicts) {
  std::int64_t most_risen = 0, lowest = right(*by_eps.front());
  for (const Json* row : by_eps) {
    lowest = std::min(lowest, right(*row));
    most_risen = std::max(most_risen, right(*row) - lowest);
  }
  const double images = judged(*by_eps.front());
  const bool carried = std::any_of(by_eps.begin(), by_eps.end(),
                                   [](const Json* row) { return row->contains("broken_at_smaller_eps"); });
  if (by_eps.size() > 1 && !carried)
    verdicts.add("falls_with_eps", Severity::warn, most_risen <= at_least_one(kTolerance, images),
                 says("%.1f %% at eps %.4g, %.1f %% at %.4g; rises by %.1f points at most",
                      100 * number(*by_eps.front(), "accuracy"), number(*by_eps.front(), "eps"),
                      100 * number(*by_eps.back(), "accuracy"), number(*by_eps.back(), "eps"),
                      100 * static_cast<double>(most_risen) / images));
}

void check_without_bounds(const Json& largest, const Shape& image, const TrustRuns& runs,
                          Verdicts& verdicts) {
  const std::string norm = largest.at("norm");
  const auto values = static_cast<double>(image.per_sample());
  const double everything = norm == "linf" ? 1.0 : norm == "l2" ? std::sqrt(values) : values;
  const std::int64_t steps =
      std::clamp(largest.at("steps").get<std::int64_t>(), kUnboundedSteps, kMostUnboundedSteps);
  const Json unbounded =
      runs.afresh("pgd:norm=" + norm + ",eps=" + format_number(everything) + ",path=" + format_number(kPath) +
                      ",steps=" + std::to_string(steps) + ",random_start=0,keep=best" +
                      // Sparse steps would leave most values where they were.
                      (norm == "l1" ? ",sparsity=0" : ""),
                  kUnboundedImages);
  verdicts.add("unbounded_breaks_every_image", Severity::fail,
               right(unbounded) <= at_least_one(kMostUnbroken, judged(unbounded)),
               says("%.1f %% of %lld images right at eps %.4g, which allows any image",
                    100 * number(unbounded, "accuracy"),
                    static_cast<long long>(unbounded.at("n").get<std::int64_t>()), everything));
}

/// Of an attack whose eps is infinite.
void check_finds(const Json& row, Verdicts& verdicts) {
  const double found = number(row, "attack_success_rate");
  if (std::isnan(found)) return;  // no image was right
  const double were_right = number(row, "clean_correct");
  verdicts.add(
      "finds_an_image", Severity::fail,
      were_right - number(row, "fooled") <= static_cast<double>(at_least_one(kMostUnbroken, were_right)),
      says("an adversarial image was found for %.1f %% of the images that were right", 100 * found));
}

/// The largest norm where images with a radius of their own had all that of the row. What lies beyond a
/// radius of 0 is a null.
double norm_at_eps(const Json& row) {
  if (!row.contains("max_norm_over_eps")) return number(row, "max_norm");
  const Json& over = row.at("max_norm_over_eps");
  return over.is_number() ? over.get<double>() * number(row, "eps") : std::numeric_limits<double>::infinity();
}

void check_norms(const Json& rows, Verdicts& verdicts) {
  double excess = 0;
  const Json* farthest = &rows.front();
  for (const Json& row : rows) {
    // Norms are sums of rounded squares.
    const double eps = number(row, "eps"), slack = 1e-6 + 1e-5 * eps;
    const double beyond = (norm_at_eps(row) - eps) / slack;
    if (&row == &rows.front() || beyond > excess) excess = beyond, farthest = &row;
  }
  verdicts.add("norms_within_eps", Severity::fail, excess <= 1,
               says("largest %s norm %.6g at eps %.6g", farthest->at("norm").get<std::string>().c_str(),
                    norm_at_eps(*farthest), number(*farthest, "eps")));
}

}  // namespace

Json trust_checks(const std::string& attack, const Json& rows, const Shape& image, const ChecksAsked& asked,
                  const TrustRuns& runs) {
  Verdicts verdicts(attack);
  const Json& first = rows.front();
  const bool bounded = is_bounded(first);
  if (bounded) {
    std::vector<const Json*> by_eps;
    for (const Json& row : rows) by_eps.push_back(&row);
    std::stable_sort(by_eps.begin(), by_eps.end(),
                     [](const Json* a, const Json* b) { return number(*a, "eps") < number(*b, "eps"); });
    const Json& largest = *by_eps.back();
    if (is_strong(largest)) {
      check_against_one_step(largest, runs, verdicts);
      if (runs.on_survivors && !attack_of(largest).ensemble) check_survivors(largest, runs, verdicts);
    }
    check_order(by_eps, verdicts);
    if (asked.unbounded && right(largest) > at_least_one(kMostUnbroken, judged(largest)))
      check_without_bounds(largest, image, runs, verdicts);
  } else if (is_strong(first) && first.at("norm") != "l0" && asked.nearest) {
    check_finds(first, verdicts);
  }
  double zero = 0;
  for (const Json& row : rows) zero = std::max(zero, number(row, "zero_gradient_fraction"));
  verdicts.add("gradients_not_zero", Severity::warn, zero <= kMostZeroGradients,
               says("%.2f %% of the gradients were zero", 100 * zero));
  if (bounded) check_norms(rows, verdicts);
  return verdicts.take();
}

bool tells_classes_apart(const Json& clean) {
  double all = 0, most_frequent = 0, answered = 0;
  std::size_t label = 0;
  for (const Json& row : clean.at("confusion")) {
    double images = 0;
    for (const Json& count : row) images += count.get<double>();
    all += images;
    most_frequent = std::max(most_frequent, images);
    answered += row.at(label++).get<double>();
  }
  return all > most_frequent && answered - most_frequent >= kLeastTold * (all - most_frequent);
}

Json black_box_checks(const Json& rows) {
  Json list = Json::array();
  const auto add = [&](const Json& row, bool passed, const std::string& text) {
    Verdicts verdicts(row.at("spec"));
    verdicts.add("gradients_at_least_as_strong", Severity::fail, passed, text);
    for (Json& verdict : verdicts.take()) list.push_back(std::move(verdict));
  };
  for (const Json& row : rows) {
    if (row.value("kind", "") != "attack") continue;
    if (!attack_of(row).sees_gradients) {
      if (!row.at("eps").is_number()) continue;
      const Json* best = nullptr;
      for (const Json& other : rows)
        if (other.value("kind", "") == "attack" && is_strong(other) && other.at("norm") == row.at("norm") &&
            other.at("eps") == row.at("eps") &&
            (best == nullptr || number(other, "accuracy") < number(*best, "accuracy")))
          best = &other;
      if (best != nullptr)
        add(row, right(*best) <= right(row) + at_least_one(kBlackBoxTolerance, judged(row)),
            says("%.1f %% right without gradients, %.1f %% after the best attack that follows them",
                 100 * number(row, "accuracy"), 100 * number(*best, "accuracy")));
    } else if (row.contains("stages")) {
      double blind = 0, tried = 0;
      for (const Json& stage : row.at("stages"))
        if (!attack_of(stage).sees_gradients)
          blind += number(stage, "broken"), tried += number(stage, "tried");
      if (tried > 0)
        add(row, blind <= static_cast<double>(at_least_one(kBlackBoxTolerance, judged(row))),
            says("the search without gradients broke %.0f of %.0f %s that the others left", blind, tried,
                 row.contains("decisions") ? "decisions" : "images"));
    }
  }
  return list;
}

Json network_checks(const attacks::Evaluation& once, const attacks::Evaluation& again,
                    const attacks::Evaluation& stepped) {
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < once.logits.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(once.logits[i])));
    difference = std::max(difference, std::abs(static_cast<double>(once.logits[i]) - again.logits[i]));
  }
  std::int64_t distributions = 0;
  const auto classes = static_cast<std::size_t>(once.classes);
  for (std::size_t row = 0; row < once.label.size(); ++row) {
    const auto first = once.logits.begin() + static_cast<std::ptrdiff_t>(row * classes);
    const bool bounded = std::all_of(first, first + once.classes, [](float p) { return p >= 0 && p <= 1; });
    const double sum = std::accumulate(first, first + once.classes, 0.0);
    distributions += bounded && std::abs(sum - 1) <= kSumTolerance ? 1 : 0;
  }
  const attacks::Predictions before(stepped.clean_logits, stepped.label, stepped.classes),
      after(stepped.logits, stepped.label, stepped.classes);
  std::int64_t changed = 0, risen = 0;
  for (std::size_t i = 0; i < before.nll.size(); ++i) {
    changed += after.nll[i] != before.nll[i] ? 1 : 0;
    risen += after.nll[i] > before.nll[i] ? 1 : 0;
  }
  Verdicts verdicts("the network itself");
  verdicts.add("answers_repeat", Severity::fail, difference <= kLogitTolerance * largest,
               says("asked twice its logits differ by %.3g, the largest is %.3g", difference, largest));
  verdicts.add("answers_are_logits", Severity::fail,
               distributions < static_cast<std::int64_t>(once.label.size()),
               says("%lld of %lld answers are numbers in [0, 1] that sum to 1",
                    static_cast<long long>(distributions), static_cast<long long>(once.label.size())));
  verdicts.add("gradients_foretell_loss", Severity::fail,
               static_cast<double>(risen) >= kLeastRisen * static_cast<double>(changed),
               says("a step of 1/255 along the gradient's sign raised the loss of %lld of %lld images",
                    static_cast<long long>(risen), static_cast<long long>(changed)));
  return verdicts.take();
}

std::string trust_in(const Json& checks) {
  std::string trust = "pass";
  for (const Json& check : checks) {
    if (check.at("passed").get<bool>()) continue;
    if (check.at("severity") == "fail") return "fail";
    trust = "warn";
  }
  return trust;
}

}  // namespace inocula
