// What an attack decides per sample: its target, whether it hit, and which candidate to keep.
#include <algorithm>

#include "kernels/draw.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

TEST_CASE("keep_best: every combination of hit and score") {
  for (const std::int64_t cols : {3, 5000}) {
    for (const std::int32_t hit : {0, 1}) {
      for (const std::int32_t best_hit : {0, 1}) {
        for (const float score : {-kInfinity, -1.0f, 0.0f, 1.0f, kInfinity, kNan}) {
          for (const float best_score : {-kInfinity, 0.0f}) {
            for (const bool with_hits : {false, true}) {
              const bool higher = score > best_score;  // false for NaN
              const bool improves = with_hits && hit != best_hit ? hit > best_hit && score == score : higher;
              const std::size_t n = static_cast<std::size_t>(cols);
              const Outputs out = same_everywhere([&](const Run& run) {
                const Guarded<float> x(n, 2.0f);
                Guarded<float> best_x(n, 3.0f), kept_score(1, best_score);
                Guarded<std::int32_t> kept_hit(1, best_hit);
                run.kernels.keep_best(run.queue, {.x = x.data(),
                                                  .score = &score,
                                                  .hit = with_hits ? &hit : nullptr,
                                                  .best_x = best_x.data(),
                                                  .best_score = kept_score.data(),
                                                  .best_hit = with_hits ? kept_hit.data() : nullptr,
                                                  .rows = 1,
                                                  .cols = cols});
                return Outputs{best_x.values(), kept_score.values(), as_floats(kept_hit.values())};
              });
              CAPTURE(hit);
              CAPTURE(best_hit);
              CAPTURE(score);
              CAPTURE(best_score);
              CHECK(out[0] == std::vector<float>(n, improves ? 2.0f : 3.0f));
              CHECK(out[1][0] == (improves ? score : best_score));
              CHECK(out[2][0] == static_cast<float>(improves && with_hits ? hit : best_hit));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("keep_best treats rows one by one") {
  const Outputs out = same_everywhere([](const Run& run) {
    const std::vector<float> x = {1, 1, 2, 2, 3, 3}, score = {5, 1, 7};
    Guarded<float> best_x(std::vector<float>{10, 10, 20, 20, 30, 30}),
        best_score(std::vector<float>{4, 4, 4});
    run.kernels.keep_best(run.queue, {.x = x.data(),
                                      .score = score.data(),
                                      .best_x = best_x.data(),
                                      .best_score = best_score.data(),
                                      .rows = 3,
                                      .cols = 2});
    return Outputs{best_x.values(), best_score.values()};
  });
  CHECK(out[0] == std::vector<float>{1, 1, 20, 20, 3, 3});
  CHECK(out[1] == std::vector<float>{5, 4, 7});
}

TEST_CASE("judge: targeted and untargeted") {
  const std::vector<float> loss = {0.5f, 2.0f, 0.0f, kNan};
  const std::vector<std::int32_t> predicted = {0, 1, 2, 1}, label = {0, 0, 1, 1}, target = {1, 1, 2, 0};
  for (const bool targeted : {false, true}) {
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> score(4);
      Guarded<std::int32_t> hit(4, 9);
      run.kernels.judge(run.queue, {.loss = loss.data(),
                                    .predicted = predicted.data(),
                                    .label = label.data(),
                                    .target = targeted ? target.data() : nullptr,
                                    .score = score.data(),
                                    .hit = hit.data(),
                                    .rows = 4,
                                    .descends = targeted ? 1 : 0});
      return Outputs{score.values(), as_floats(hit.values())};
    });
    CHECK(out[1] == (targeted ? std::vector<float>{0, 1, 1, 0} : std::vector<float>{0, 1, 1, 0}));
    CHECK(out[0][0] == (targeted ? -0.5f : 0.5f));
    CHECK(out[0][1] == (targeted ? -2.0f : 2.0f));
    CHECK(std::isnan(out[0][3]));
  }
}

struct Targets {
  std::vector<float> logits;
  std::vector<std::int32_t> label, sample;
  std::int64_t classes = 0;
  StepState state = {.seed = 11, .step = 2, .restart = 6};
};

std::vector<float> choose(const Targets& t, TargetRule rule, std::int32_t given = 0) {
  return same_everywhere([&](const Run& run) {
    Guarded<std::int32_t> target(t.label.size(), -9);
    run.kernels.choose_target(run.queue, {.logits = t.logits.data(),
                                          .label = t.label.data(),
                                          .sample = t.sample.data(),
                                          .state = &t.state,
                                          .target = target.data(),
                                          .rows = static_cast<std::int64_t>(t.label.size()),
                                          .classes = t.classes,
                                          .rule = rule,
                                          .given = given});
    return Outputs{as_floats(target.values())};
  })[0];
}

TEST_CASE("choose_target: given and least likely") {
  const Targets t{.logits = {3, 1, 2, /**/ 1, 1, 5, /**/ -kInfinity, 0, -kInfinity, /**/ kNan, 2, 1,
                             /**/ kNan, kNan, kNan},
                  .label = {0, 2, 2, 0, 0},
                  .sample = {0, 1, 2, 3, 4},
                  .classes = 3};
  CHECK(choose(t, TargetRule::given, 2) == std::vector<float>(5, 2.0f));
  CHECK(choose(t, TargetRule::least_likely) == std::vector<float>{1, 0, 0, 2, 1});
  Targets wrong = t;  // the least likely class is the label: the next one it is
  wrong.label = {1, 0, 0, 2, 2};
  CHECK(choose(wrong, TargetRule::least_likely) == std::vector<float>{2, 1, 2, 1, 0});
}

TEST_CASE("choose_target: the label's successor, and the others in falling order of their logits") {
  const Targets t{.logits = {3, 1, 2, /**/ 1, 1, 5, /**/ 4, 4, 4, /**/ kNan, 2, kInfinity},
                  .label = {0, 2, 1, 2},
                  .sample = {0, 1, 2, 3},
                  .classes = 3};
  CHECK(choose(t, TargetRule::next) == std::vector<float>{1, 0, 2, 0});
  CHECK(choose(t, TargetRule::likely, 1) == std::vector<float>{2, 0, 0, 1});
  CHECK(choose(t, TargetRule::likely, 2) == std::vector<float>{1, 1, 2, 0});
  Targets wrong = t;  // the likeliest class is not the label: it is the first of the others
  wrong.label = {1, 0, 0, 1};
  CHECK(choose(wrong, TargetRule::likely, 1) == std::vector<float>{0, 2, 1, 2});
  CHECK(choose(wrong, TargetRule::likely, 2) == std::vector<float>{2, 1, 2, 0});
}

TEST_CASE("choose_target: random is never the label and even over the others") {
  for (const std::int64_t classes : {2, 3, 11}) {
    Targets t;
    t.classes = classes;
    constexpr std::int32_t kRows = 20000;
    for (std::int32_t i = 0; i < kRows; ++i) {
      t.label.push_back(i % static_cast<std::int32_t>(classes));
      t.sample.push_back(i);
    }
    const std::vector<float> target = choose(t, TargetRule::random);
    std::vector<double> rank_count(static_cast<std::size_t>(classes - 1), 0.0);
    bool valid = true;
    for (std::size_t i = 0; i < target.size(); ++i) {
      const std::int32_t k = static_cast<std::int32_t>(target[i]);
      valid = valid && k != t.label[i] && k >= 0 && k < classes;
      rank_count[static_cast<std::size_t>(k < t.label[i] ? k : k - 1)] += 1;
    }
    REQUIRE(valid);
    const double p = 1.0 / static_cast<double>(classes - 1);
    for (const double n : rank_count) CHECK(std::fabs(n / kRows - p) <= 4 * std::sqrt(p * (1 - p) / kRows));

    const std::uint32_t word = draw(11, Draw::target, 6, 2, 17, 0);
    const std::uint32_t rank = uniform_below(word, static_cast<std::uint32_t>(classes - 1));
    CHECK(target[17] == static_cast<float>(rank < static_cast<std::uint32_t>(t.label[17]) ? rank : rank + 1));
  }
}

}  // namespace
}  // namespace inocula::test
