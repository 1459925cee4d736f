// Verdicts on figures under attack, from rows made up for each.
#include "tools/trust_checks.h"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <vector>

using namespace inocula;

namespace {

using Json = nlohmann::ordered_json;

Json row(double eps, double accuracy, std::int64_t steps = 20, double zero = 0, double excess = 0) {
  return {{"spec", "made up"}, {"norm", "linf"},          {"steps", steps},
          {"eps", eps},        {"accuracy", accuracy},    {"zero_gradient_fraction", zero},
          {"n", 100},          {"max_norm", eps + excess}};
}

struct Verdicts {
  std::map<std::string, bool> passed;
  std::vector<std::string> asked;
};

/// Of an attack with these rows, whose one step leaves `one_step`, and nothing forbidden `unbounded`.
Verdicts verdicts(const Json& rows, double one_step = 1, double unbounded = 0) {
  Verdicts v;
  const Json list =
      trust_checks("made up", rows, {1, 3, 10, 10}, 4, [&](const std::string& spec, std::int64_t limit) {
        v.asked.push_back(spec + " on " + std::to_string(limit));
        return row(1, spec.starts_with("fgsm") ? one_step : unbounded);
      });
  for (const Json& check : list) v.passed[check.at("check")] = check.at("passed");
  return v;
}

}  // namespace

TEST_CASE("trust checks: what a sound attack passes") {
  const Verdicts v = verdicts(Json::array({row(0.02, 0.4), row(0.01, 0.6), row(0.04, 0.1)}), 0.3, 0.25);
  CHECK(v.passed.size() == 5);
  for (const auto& [check, passed] : v.passed) CHECK_MESSAGE(passed, check);
  // One step at the largest eps on all images; any image allowed on some.
  REQUIRE(v.asked.size() == 2);
  CHECK(v.asked[0] == "fgsm:norm=linf,eps=0.04 on 0");
  CHECK(v.asked[1] == "pgd:norm=linf,eps=1,path=2.5,steps=20 on 256");
}

TEST_CASE("trust checks: an attack without a radius, or of another norm, is not compared with one") {
  Json far = row(0.1, 0);
  far["eps"] = std::numeric_limits<double>::infinity();
  const Verdicts v = verdicts(Json::array({far}));
  CHECK(v.passed ==
        std::map<std::string, bool>{{"gradients_not_zero", true}, {"unbounded_reaches_chance", true}});
  REQUIRE(v.asked.size() == 1);
  CHECK(v.asked[0].starts_with("pgd:norm=linf,eps=1,"));
  far["norm"] = "l0";
  far["eps"] = 4;
  const Verdicts few = verdicts(Json::array({far}));
  CHECK(few.passed == std::map<std::string, bool>{{"gradients_not_zero", true}});
  CHECK(few.asked.empty());
}

TEST_CASE("trust checks: each finds its own fault") {
  const auto only = [](const Verdicts& v, const std::string& fault) {
    for (const auto& [check, passed] : v.passed) CHECK_MESSAGE(passed == (check != fault), check);
  };
  only(verdicts(Json::array({row(0.02, 0.4)}), 0.3), "iterative_at_least_as_strong");
  only(verdicts(Json::array({row(0.01, 0.4), row(0.02, 0.45)})), "falls_with_eps");
  // Small rises add up.
  only(verdicts(Json::array({row(0.01, 0.4), row(0.02, 0.408), row(0.03, 0.416)})), "falls_with_eps");
  only(verdicts(Json::array({row(0.02, 0.4)}), 1, 0.26), "unbounded_reaches_chance");
  only(verdicts(Json::array({row(0.02, 0.4, 20, 0.06)})), "gradients_not_zero");
  only(verdicts(Json::array({row(0.02, 0.4, 20, 0, 1e-5)})), "norms_within_eps");
}

TEST_CASE("trust checks: what does not apply is missing") {
  const Verdicts one_step = verdicts(Json::array({row(0.02, 0.4, 1)}));
  CHECK(one_step.passed.count("iterative_at_least_as_strong") == 0);
  CHECK(one_step.passed.count("falls_with_eps") == 0);
  CHECK(one_step.passed.size() == 3);
  Json l2 = row(0.5, 0.4);
  l2["norm"] = "l2";
  // The diagonal of the unit cube of 300 dimensions.
  CHECK(verdicts(Json::array({l2})).asked.back().starts_with("pgd:norm=l2,eps=17.32050"));
}
