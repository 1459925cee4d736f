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
  const std::string spec = steps > 1 ? "pgd:norm=linf,eps=0.01,steps=" + std::to_string(steps) + ",alpha=0.01"
                                     : "fgsm:norm=linf,eps=0.01";
  return {{"spec", spec}, {"norm", "linf"},          {"steps", steps},
          {"eps", eps},   {"accuracy", accuracy},    {"zero_gradient_fraction", zero},
          {"n", 100},     {"max_norm", eps + excess}};
}

struct Verdicts {
  std::map<std::string, bool> passed;
  std::vector<std::string> asked;
};

/// What the attacks beside it would do.
struct Others {
  double one_step = 1, unbounded = 0;  ///< accuracies
  double found = 0, more = 0;          ///< broken by a search, and by twice the steps
  bool on_survivors = true;
  ChecksAsked asked = {};
};

Verdicts verdicts(const Json& rows, const Others& others = {}) {
  Verdicts v;
  const auto asked = [&v](const std::string& spec, std::int64_t images) {
    v.asked.push_back(spec + " on " + std::to_string(images));
  };
  TrustRuns runs{
      .afresh =
          [&](const std::string& spec, std::int64_t limit) {
            asked(spec, limit);
            Json other = row(1, spec.starts_with("fgsm") ? others.one_step : others.unbounded);
            other["n"] = rows[0]["n"];
            return other;
          },
      .on_survivors =
          [&](const std::string& spec, std::int64_t survivors) {
            asked(spec, survivors);
            return Json{{"tried", 100}, {"broken", spec.starts_with("square") ? others.found : others.more}};
          }};
  if (!others.on_survivors) runs.on_survivors = nullptr;
  const Json list = trust_checks("made up", rows, {1, 3, 10, 10}, others.asked, runs);
  for (const Json& check : list) v.passed[check.at("check")] = check.at("passed");
  return v;
}

}  // namespace

TEST_CASE("trust checks: what a sound attack passes") {
  const Verdicts v = verdicts(Json::array({row(0.02, 0.4), row(0.01, 0.6), row(0.04, 0.1)}),
                              {.one_step = 0.3, .unbounded = 0.05, .found = 2, .more = 5});
  CHECK(v.passed.size() == 7);
  for (const auto& [check, passed] : v.passed) CHECK_MESSAGE(passed, check);
  // One step at the largest eps on all images, a search and more steps on survivors, any image allowed on
  // some.
  REQUIRE(v.asked.size() == 4);
  CHECK(v.asked[0] == "fgsm:norm=linf,eps=0.04 on 0");
  CHECK(v.asked[1] == "square:norm=linf,eps=0.04,queries=100 on 128");
  CHECK(v.asked[2] == "pgd:norm=linf,eps=0.01,steps=40,alpha=0.01 on 64");
  CHECK(v.asked[3] == "pgd:norm=linf,eps=1,path=2.5,steps=20,random_start=0,keep=best on 256");
}

TEST_CASE("trust checks: where other constraints hold attacks back, nothing is asked without bounds") {
  const Verdicts v = verdicts(Json::array({row(0.02, 0.4)}), {.asked = {.unbounded = false}});
  CHECK(!v.passed.contains("unbounded_breaks_every_image"));
  CHECK(v.asked.size() == 3);
  Json unbounded = row(0.1, 0.4, 50);
  unbounded["eps"] = nullptr;
  unbounded["attack_success_rate"] = 0.5;
  CHECK(!verdicts(Json::array({unbounded}), {.asked = {.nearest = false}}).passed.contains("finds_an_image"));
  // Where the attack left next to nothing there is nothing to doubt.
  CHECK(!verdicts(Json::array({row(0.02, 0.05)})).passed.contains("unbounded_breaks_every_image"));
}

TEST_CASE("trust checks: what always gives the same answer cannot be attacked") {
  const auto apart = [](const Json& confusion) {
    return tells_classes_apart(Json{{"confusion", confusion}});
  };
  CHECK(apart({{90, 0}, {0, 10}}));
  CHECK(apart({{90, 0}, {9, 1}}));
  CHECK(!apart({{90, 0}, {10, 0}}));
  CHECK(!apart({{50, 10}, {39, 1}}));
  CHECK(!apart({{100, 0}, {0, 0}}));
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
  only(verdicts(Json::array({row(0.02, 0.4)}), {.one_step = 0.3}), "iterative_at_least_as_strong");
  only(verdicts(Json::array({row(0.01, 0.4), row(0.02, 0.45)})), "falls_with_eps");
  Json few = row(0.02, 0.45);
  few["n"] = 20;
  only(verdicts(Json::array({few}), {.one_step = 0.4}), "nothing");
  only(verdicts(Json::array({few}), {.one_step = 0.35}), "iterative_at_least_as_strong");
  // Small rises add up.
  only(verdicts(Json::array({row(0.01, 0.4), row(0.02, 0.408), row(0.03, 0.416)})), "falls_with_eps");
  only(verdicts(Json::array({row(0.02, 0.4)}), {.unbounded = 0.06}), "unbounded_breaks_every_image");
  only(verdicts(Json::array({row(0.02, 0.4)}), {.found = 3}), "search_finds_no_more");
  only(verdicts(Json::array({row(0.02, 0.4)}), {.more = 6}), "more_steps_find_little_more");
  only(verdicts(Json::array({row(0.02, 0.4, 20, 0.06)})), "gradients_not_zero");
  only(verdicts(Json::array({row(0.02, 0.4, 20, 0, 1e-5)})), "norms_within_eps");
}

TEST_CASE("trust checks: what does not apply is missing") {
  const Verdicts one_step = verdicts(Json::array({row(0.02, 0.4, 1)}));
  CHECK(one_step.passed.count("iterative_at_least_as_strong") == 0);
  CHECK(one_step.passed.count("falls_with_eps") == 0);
  CHECK(one_step.passed.count("search_finds_no_more") == 0);
  Json carried = row(0.02, 0.4);
  carried["broken_at_smaller_eps"] = 3;
  CHECK(verdicts(Json::array({row(0.01, 0.5), carried})).passed.count("falls_with_eps") == 0);
  Json search = row(0.02, 0.4), ensemble = search;
  search["spec"] = "square:queries=1000";
  ensemble["spec"] = "aa-k:norm=linf,eps=0.02,steps=100,queries=5000";
  for (const Json& other : {search, ensemble})
    for (const char* check : {"search_finds_no_more", "more_steps_find_little_more"})
      CHECK(verdicts(Json::array({other})).passed.count(check) == 0);
  CHECK(one_step.passed.size() == 3);
  Json restarts = row(0.02, 0.4), by_eps = row(0.01, 0.6, 1);
  restarts["spec"] = "apgd-ce:norm=linf,eps=0.02,steps=10,rho=0.75,restarts=2";
  restarts["stages"] = Json::array();
  CHECK(verdicts(Json::array({restarts})).asked[2] ==
        "apgd-ce:norm=linf,eps=0.02,steps=20,rho=0.75,restarts=2 on 64");
  // What has one step at a small eps may have more at the largest.
  CHECK(verdicts(Json::array({by_eps, row(0.02, 0.4)})).passed.contains("search_finds_no_more"));
  // Nothing is to be expected of noise, nor of what has one class in mind or another loss.
  for (const char* spec : {"noise", "square", "pgd:target=1", "pgd:loss=kl"}) {
    CAPTURE(spec);
    Json weak = row(0.02, 0.9);
    weak["spec"] = spec;
    const Verdicts v = verdicts(Json::array({weak}), {.one_step = 0.1, .found = 50, .more = 50});
    CHECK(v.asked.size() == 1);
    for (const auto& [check, passed] : v.passed) CHECK_MESSAGE(passed, check);
  }
  const Verdicts all_in_batches = verdicts(Json::array({row(0.02, 0.4)}), {.on_survivors = false});
  CHECK(all_in_batches.asked.size() == 2);
  Json l2 = row(0.5, 0.4);
  l2["norm"] = "l2";
  // The diagonal of the unit cube of 300 dimensions.
  CHECK(verdicts(Json::array({l2})).asked.back().starts_with("pgd:norm=l2,eps=17.32050"));
  Json l1 = row(5, 0.4);
  l1["norm"] = "l1";
  // Every value from one end of its range to the other.
  const Verdicts in_l1 = verdicts(Json::array({l1}));
  CHECK(in_l1.asked.front() == "fgsm:norm=l1,eps=5 on 0");
  CHECK(in_l1.asked.back() ==
        "pgd:norm=l1,eps=300,path=2.5,steps=20,random_start=0,keep=best,sparsity=0 on 256");
}

TEST_CASE(
    "trust checks: however far, an attack finds an image, and within L0 its gradients alone are looked at") {
  const auto of = [](const char* spec, const char* norm, double success, double zero) {
    Json r = row(3, 0.4, 50, zero);
    r["spec"] = spec;
    r["norm"] = norm;
    r["eps"] = nullptr;
    r["attack_success_rate"] = success;
    r["clean_correct"] = 100;
    r["fooled"] = 100 * success;
    const Verdicts v = verdicts(Json::array({r}));
    CHECK(v.asked.empty());
    return v.passed;
  };
  constexpr double kNothingRight = std::numeric_limits<double>::quiet_NaN();
  using Passed = std::map<std::string, bool>;
  CHECK(of("deepfool", "l2", 0.95, 0) == Passed{{"finds_an_image", true}, {"gradients_not_zero", true}});
  CHECK(of("deepfool", "l2", 0.94, 0.2) == Passed{{"finds_an_image", false}, {"gradients_not_zero", false}});
  CHECK(of("deepfool", "l2", kNothingRight, 0) == Passed{{"gradients_not_zero", true}});
  CHECK(of("cw:target=1", "l2", 0.5, 0) == Passed{{"gradients_not_zero", true}});
  CHECK(of("jsma", "l0", 0.5, 0.2) == Passed{{"gradients_not_zero", false}});
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
  // One image of a hundred.
  CHECK(passed(Json::array({clean, pgd, attack("square:queries=500", 0.03, 0.49)})) == 1);
  CHECK(passed(Json::array({clean, pgd, attack("square:queries=500", 0.03, 0.48)})) == 0);
  CHECK(passed(Json::array({clean, pgd, attack("noise:norm=linf", 0.03, 0.48)})) == 0);
  // What has one class in mind, or one step, is no match.
  for (const char* weak : {"pgd:target=1", "pgd:loss=kl", "fgsm:norm=linf"})
    CHECK(passed(Json::array({clean, attack(weak, 0.03, 0.9), attack("square:queries=500", 0.03, 0.4)})) ==
          -1);
  CHECK(passed(Json::array({clean, pgd, attack("square:queries=500", 0.02, 0.4)})) == -1);  // another radius
  CHECK(passed(Json::array({clean, pgd})) == -1);
  // One image, however its share is rounded.
  for (const double n : {38.0, 46.0, 44.0}) {
    Json strong = attack("pgd:steps=20", 0.03, 21 / n), weak = attack("square:queries=500", 0.03, 20 / n);
    for (Json* r : {&strong, &weak}) (*r)["n"] = n;
    CHECK(passed(Json::array({clean, strong, weak})) == 1);
    weak["accuracy"] = 19 / n;
    CHECK(passed(Json::array({clean, strong, weak})) == 0);
  }
  // Neither has a radius: what they find lies anywhere.
  Json far = attack("deepfool:norm=linf", 0.03, 0.5), alike = attack("noise:norm=linf,ssim=0.9", 0.03, 0.4);
  far["eps"] = alike["eps"] = nullptr;
  CHECK(passed(Json::array({clean, far, alike})) == -1);
  Json ensemble = attack("aa-k:norm=linf", 0.03, 0.4);
  ensemble["stages"] = Json::array({{{"spec", "apgd-ce:steps=10"}, {"tried", 90}, {"broken", 40}},
                                    {{"spec", "square:queries=10"}, {"tried", 50}, {"broken", 0}}});
  CHECK(passed(Json::array({clean, ensemble})) == 1);
  ensemble["stages"][1]["broken"] = 1;  // of a hundred
  CHECK(passed(Json::array({clean, ensemble})) == 1);
  ensemble["stages"][1]["broken"] = 2;
  CHECK(passed(Json::array({clean, ensemble})) == 0);
}

TEST_CASE("trust checks: answers that change from one time to the next, and answers that are no logits") {
  attacks::Evaluation once;
  once.n = 2;
  once.classes = 2;
  once.label = {0, 1};
  once.logits = {0.25f, 0.75f, 3, -100};
  attacks::Evaluation stepped;
  stepped.n = 5;
  stepped.classes = 2;
  stepped.label = {0, 0, 0, 0, 0};
  stepped.clean_logits = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0};
  stepped.logits = {0.9f, 0, 1.9f, 0, 2.9f, 0, 3.9f, 0, 5.1f, 0};  // the loss of four of five rises
  const auto passed = [&](const attacks::Evaluation& again) {
    const Json list = network_checks(once, again, stepped);
    REQUIRE(list.size() == 3);
    CHECK(list[2].at("check") == "gradients_foretell_loss");
    CHECK(list[2].at("passed") == (stepped.logits[6] < 4));
    return std::pair(list[0].at("passed").get<bool>(), list[1].at("passed").get<bool>());
  };
  attacks::Evaluation again = once;
  CHECK(passed(again) == std::pair(true, true));
  again.logits[0] += 0.009f;
  CHECK(passed(again) == std::pair(true, true));
  again.logits[0] += 0.002f;
  CHECK(passed(again) == std::pair(false, true));
  once.logits[2] = 0;
  once.logits[3] = 1;
  CHECK(passed(once) == std::pair(true, false));
  once.logits[3] = 1.001f;
  CHECK(passed(once) == std::pair(true, true));
  stepped.logits[6] = 4.1f;
  CHECK(passed(once) == std::pair(true, true));
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
