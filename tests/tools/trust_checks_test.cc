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
Verdicts verdicts(const Json& rows, double one_step = 1, double unbounded = 0, double found = 0,
                  Reach reach = Reach::every_image) {
  Verdicts v;
  const auto asked = [&v](const std::string& spec, std::int64_t images) {
    v.asked.push_back(spec + " on " + std::to_string(images));
  };
  const Json list = trust_checks("made up", rows, {1, 3, 10, 10}, 4, reach,
                                 {.afresh =
                                      [&](const std::string& spec, std::int64_t limit) {
                                        asked(spec, limit);
                                        return row(1, spec.starts_with("fgsm") ? one_step : unbounded);
                                      },
                                  .on_survivors =
                                      [&](const std::string& spec, std::int64_t survivors) {
                                        asked(spec, survivors);
                                        return Json{{"tried", 100}, {"broken", found}};
                                      }});
  for (const Json& check : list) v.passed[check.at("check")] = check.at("passed");
  return v;
}

}  // namespace

TEST_CASE("trust checks: what a sound attack passes") {
  const Verdicts v = verdicts(Json::array({row(0.02, 0.4), row(0.01, 0.6), row(0.04, 0.1)}), 0.3, 0.25);
  CHECK(v.passed.size() == 6);
  for (const auto& [check, passed] : v.passed) CHECK_MESSAGE(passed, check);
  // One step at the largest eps on all images, a search on survivors, any image allowed on some.
  REQUIRE(v.asked.size() == 3);
  CHECK(v.asked[0] == "fgsm:norm=linf,eps=0.04 on 0");
  CHECK(v.asked[1] == "square:norm=linf,eps=0.04,queries=100 on 128");
  CHECK(v.asked[2] == "pgd:norm=linf,eps=1,path=2.5,steps=20 on 256");
}

TEST_CASE("trust checks: where other constraints hold attacks back, nothing is asked without bounds") {
  const Verdicts v = verdicts(Json::array({row(0.02, 0.4)}), 0.5, 1, 0, Reach::some_images);
  CHECK(!v.passed.contains("unbounded_reaches_chance"));
  CHECK(v.asked.size() == 2);
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
  only(verdicts(Json::array({row(0.02, 0.4)}), 1, 0, 3), "search_finds_no_more");
  only(verdicts(Json::array({row(0.02, 0.4)}), 1, 0, 2), "nothing");
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
  ensemble["stages"] = Json::array();
  for (const Json& other : {search, ensemble})
    CHECK(verdicts(Json::array({other})).passed.count("search_finds_no_more") == 0);
  CHECK(one_step.passed.size() == 3);
  Json l2 = row(0.5, 0.4);
  l2["norm"] = "l2";
  // The diagonal of the unit cube of 300 dimensions.
  CHECK(verdicts(Json::array({l2})).asked.back().starts_with("pgd:norm=l2,eps=17.32050"));
  Json l1 = row(5, 0.4);
  l1["norm"] = "l1";
  // Every value from one end of its range to the other.
  const Verdicts in_l1 = verdicts(Json::array({l1}));
  CHECK(in_l1.asked.front() == "fgsm:norm=l1,eps=5 on 0");
  CHECK(in_l1.asked.back() == "pgd:norm=l1,eps=300,path=2.5,steps=20,sparsity=0 on 256");
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
