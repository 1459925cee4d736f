// Verdicts on figures under attack, from rows made up for each.
#include "tools/trust_checks.h"

#include <doctest/doctest.h>

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
Verdicts verdicts(const Json& rows, double one_step = 1, double unbounded = 0,
                  Reach reach = Reach::every_image) {
  Verdicts v;
  const Json list = trust_checks("made up", rows, {1, 3, 10, 10}, 4, reach,
                                 [&](const std::string& spec, std::int64_t limit) {
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

TEST_CASE("trust checks: where other constraints hold attacks back, nothing is asked without bounds") {
  const Verdicts v = verdicts(Json::array({row(0.02, 0.4)}), 0.5, 1, Reach::some_images);
  CHECK(!v.passed.contains("unbounded_reaches_chance"));
  CHECK(v.asked.size() == 1);
}

TEST_CASE("trust checks: images with radii of their own are held to these") {
  for (const auto& [over, within] :
       std::vector<std::pair<Json, bool>>{{1.0, true}, {1.001, false}, {Json(), false}}) {
    Json own = row(0.02, 0.4);
    own["max_norm"] = 0.06;
    own["max_norm_over_eps"] = over;
    CHECK(verdicts(Json::array({own})).passed.at("norms_within_eps") == within);
  }
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

TEST_CASE(
    "trust checks: an attack without a radius, or in another norm, has the check of its gradients alone") {
  Json unbounded = row(0.1, 0.4, 50, 0.2);
  unbounded["eps"] = nullptr;
  Json in_l0 = row(3, 0.4, 50);
  in_l0["norm"] = "l0";
  for (const Json& only : {unbounded, in_l0}) {
    const Verdicts v = verdicts(Json::array({only}));
    CHECK(v.asked.empty());
    REQUIRE(v.passed.size() == 1);
    CHECK(v.passed.at("gradients_not_zero") == (only == in_l0));
  }
}

TEST_CASE("trust checks: without gradients not more is broken than with them") {
  const auto attack = [](const std::string& spec, double eps, double accuracy) {
    Json r = row(eps, accuracy);
    r["kind"] = "attack";
    r["spec"] = spec;
    return r;
  };
  const Json clean{{"kind", "clean"}, {"accuracy", 0.9}};
  const auto passed = [](const Json& rows) {
    const Json list = black_box_checks(rows);
    return list.size() == 1 ? static_cast<int>(list[0].at("passed").get<bool>()) : -1;
  };
  const Json pgd = attack("pgd:steps=20", 0.03, 0.5);
  CHECK(passed(Json::array({clean, pgd, attack("square:queries=500", 0.03, 0.6)})) == 1);
  CHECK(passed(Json::array({clean, pgd, attack("square:queries=500", 0.03, 0.499)})) == 1);
  CHECK(passed(Json::array({clean, pgd, attack("square:queries=500", 0.03, 0.49)})) == 0);
  CHECK(passed(Json::array({clean, pgd, attack("noise:norm=linf", 0.03, 0.49)})) == 0);
  CHECK(passed(Json::array({clean, pgd, attack("square:queries=500", 0.02, 0.4)})) == -1);  // another radius
  CHECK(passed(Json::array({clean, pgd})) == -1);
  Json ensemble = attack("aa-k:norm=linf", 0.03, 0.4);
  ensemble["stages"] = Json::array({{{"spec", "apgd-ce:x"}, {"tried", 90}, {"broken", 40}},
                                    {{"spec", "square:x"}, {"tried", 50}, {"broken", 0}}});
  CHECK(passed(Json::array({clean, ensemble})) == 1);
  ensemble["stages"][1]["broken"] = 1;  // of a hundred
  CHECK(passed(Json::array({clean, ensemble})) == 0);
}

TEST_CASE("trust checks: the worst verdict counts") {
  const auto check = [](bool passed, const char* severity) {
    return Json{{"passed", passed}, {"severity", severity}};
  };
  CHECK(trust_in(Json::array()) == "pass");
  CHECK(trust_in(Json::array({check(true, "fail"), check(true, "warn")})) == "pass");
  CHECK(trust_in(Json::array({check(true, "fail"), check(false, "warn")})) == "warn");
  CHECK(trust_in(Json::array({check(false, "warn"), check(false, "fail")})) == "fail");
}
