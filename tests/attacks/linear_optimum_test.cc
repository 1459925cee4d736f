// On linear models attacks reach the worst case that theory gives, for every sample.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "attacks/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

constexpr std::int64_t kImages = 60;

double softplus(double v) {
  return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v)));
}

/// The margin's lowest value, or its highest, over ball and box.
double extreme_margin(const LinearModel& model, const std::vector<double>& x, std::int32_t label,
                      attacks::Norm norm, double eps, bool highest) {
  std::vector<double> g = model.margin_gradient(label);
  if (highest)
    for (double& v : g) v = -v;
  const auto least = norm == attacks::Norm::linf ? least_linf
                     : norm == attacks::Norm::l2 ? least_l2
                                                 : least_l1;
  double at_x = 0;
  for (std::size_t i = 0; i < x.size(); ++i) at_x += g[i] * x[i];
  const double change = least(g, x, eps) - at_x;
  return model.margin(x, label) + (highest ? -change : change);
}

double loss_of(const attacks::Evaluation& e, std::int64_t i) {
  const auto row = static_cast<std::size_t>(2 * i);
  const double margin = static_cast<double>(e.logits[row]) - e.logits[row + 1];
  return softplus(e.label[static_cast<std::size_t>(i)] == 0 ? -margin : margin);
}

struct Problem {
  const char* name;
  Shape image;
  int low, high;  // pixels
  double eps_linf, eps_l2, eps_l1;
};

/// Pixels that eps cannot bring to the border, and pixels that lie on it.
const Problem kProblems[] = {{"interior", {1, 1, 6, 5}, 70, 180, 0.2, 0.25, 0.8},
                             {"box active", {1, 3, 4, 5}, 0, 255, 0.3, 1.5, 4.5},
                             {"mostly on the border", {1, 2, 5, 5}, 0, 20, 0.15, 0.6, 2.2}};

/// What an attack has to reach: relative to the way from the clean loss to the worst.
void check_optimal(const Problem& p, const std::string& spec, double tolerance) {
  CAPTURE(p.name);
  CAPTURE(spec);
  LinearModel model(p.image, 2, 11);
  const ImageSplit split = split_between(kImages, p.image, 2, p.low, p.high, 12);
  model.centre(split, 0);
  const attacks::PgdSpec pgd = attacks::parse_pgd(spec);
  const attacks::Evaluation e = evaluate(model.network(), split, attacks::Pgd(pgd));
  std::int64_t robust = 0, reached = 0;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const std::vector<double> x = image_of(split, i);
    const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
    const bool towards_label = pgd.target.targeted && pgd.target.given == label;
    const double clean = softplus(-model.margin(x, label));
    const double margin = extreme_margin(model, x, label, pgd.norm, pgd.eps, towards_label);
    const double best = softplus(-margin);
    reached += std::abs(loss_of(e, i) - best) <= tolerance * std::abs(best - clean) ? 1 : 0;
    // No sample may lie so close to the boundary that rounding decides.
    REQUIRE(std::abs(margin) > 1e-4);
    robust += model.margin(x, label) > 0 && margin > 0 ? 1 : 0;
  }
  CHECK(reached == kImages);
  const attacks::Robustness r = attacks::judge_robustness(e);
  CHECK(r.robust_correct == robust);
  CHECK(r.robust_accuracy == static_cast<double>(robust) / kImages);
  if (!pgd.target.targeted) {
    CHECK(r.clean_correct > 0);
    CHECK(r.robust_correct < r.clean_correct);
  }
}

std::string number(double v) {
  return std::to_string(v);
}

}  // namespace

TEST_CASE("linear models: L-infinity attacks reach the worst case exactly") {
  for (const Problem& p : kProblems) {
    const std::string eps = number(p.eps_linf), alpha = number(p.eps_linf / 4);
    check_optimal(p, "fgsm:eps=" + eps, 1e-5);
    check_optimal(p, "pgd:eps=" + eps + ",alpha=" + alpha + ",steps=8", 1e-5);  // from anywhere in the ball
    check_optimal(p, "pgd:eps=" + eps + ",alpha=" + alpha + ",steps=4,random_start=0", 1e-5);
    check_optimal(p, "pgd:eps=" + eps + ",alpha=" + alpha + ",steps=8,restarts=3,keep=best", 1e-5);
    check_optimal(p, "pgd:eps=" + eps + ",alpha=" + alpha + ",steps=8,target=0", 1e-5);
    check_optimal(p, "fgsm:eps=" + eps + ",target=1", 1e-5);
  }
}

TEST_CASE("linear models: of two classes, loss=kl ends in the corner on its start's side of the image") {
  // KL(p(x) || p(x')) grows with the distance of the margin at x' from that at x, on either side.
  for (const Problem& p : kProblems) {
    CAPTURE(p.name);
    LinearModel model(p.image, 2, 11);
    const ImageSplit split = split_between(kImages, p.image, 2, p.low, p.high, 12);
    model.centre(split, 0);
    const attacks::PgdSpec pgd =
        attacks::parse_pgd("pgd:eps=" + number(p.eps_linf) + ",alpha=" + number(p.eps_linf / 4) +
                           ",steps=5,random_start=normal,loss=kl");
    const attacks::Evaluation e = evaluate(model.network(), split, attacks::Pgd(pgd));
    // A step of next to nothing leaves the start where it is.
    const attacks::Evaluation start =
        evaluate(model.network(), split,
                 attacks::Pgd(attacks::parse_pgd("pgd:eps=" + number(p.eps_linf) +
                                                 ",alpha=1e-12,steps=1,random_start=normal,loss=kl")));
    const std::vector<double> g = model.margin_gradient(0);
    int sides[2] = {0, 0};
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::vector<double> x = image_of(split, i), from = attacked_image(start, i),
                                to = attacked_image(e, i);
      const double side = model.margin(from, 0) - model.margin(x, 0);
      REQUIRE(std::abs(side) > 1e-6);  // beyond rounding
      ++sides[side > 0];
      double worst = 0;
      for (std::size_t j = 0; j < x.size(); ++j)
        worst = std::max(
            worst,
            std::abs(to[j] - std::clamp(x[j] + ((side > 0) == (g[j] > 0) ? pgd.eps : -pgd.eps), 0.0, 1.0)));
      CHECK(worst < 1e-6);
    }
    CHECK(sides[0] > 0);
    CHECK(sides[1] > 0);
  }
}

TEST_CASE("linear models: L2 attacks reach the worst case") {
  for (const Problem& p : kProblems) {
    const std::string eps = number(p.eps_l2);
    // Inside the box one step along the gradient is the optimum, but for the projection's safety of 2^-21.
    // Where the box cuts, projecting to the ball and then to the box falls short of the projection to both by
    // a share of alpha.
    const bool interior = p.low > 0;
    const auto alpha = [&](double part) { return ",alpha=" + number(p.eps_l2 * part); };
    if (interior) check_optimal(p, "fgsm:norm=l2,eps=" + eps, 1e-4);
    if (interior) check_optimal(p, "pgd:norm=l2,eps=" + eps + alpha(2) + ",steps=40", 1e-3);
    check_optimal(p, "pgd:norm=l2,eps=" + eps + alpha(0.05) + ",steps=400", 2e-2);
    check_optimal(p, "pgd:norm=l2,eps=" + eps + alpha(0.01) + ",steps=1500", 5e-3);
    check_optimal(p, "pgd:norm=l2,eps=" + eps + alpha(0.01) + ",steps=1500,random_start=sphere,keep=best",
                  5e-3);
    check_optimal(p, "pgd:norm=l2,eps=" + eps + alpha(0.01) + ",steps=1500,target=1", 5e-3);
  }
}

TEST_CASE("linear models: L1 attacks reach the worst case") {
  for (const Problem& p : kProblems) {
    const std::string eps = number(p.eps_l1), pgd = "pgd:norm=l1,eps=" + eps;
    const auto alpha = [&](double part) { return ",alpha=" + number(p.eps_l1 * part); };
    // One pixel at a time fills up what is worth most, and what is full stays so.
    check_optimal(p, pgd + alpha(0.1) + ",steps=200", 1e-4);
    check_optimal(p, pgd + alpha(0.1) + ",steps=200,random_start=0", 1e-4);
    check_optimal(p, pgd + alpha(0.1) + ",steps=200,random_start=normal,keep=best", 1e-4);
    check_optimal(p, pgd + alpha(0.1) + ",steps=200,target=1", 1e-4);
    check_optimal(p, pgd + alpha(0.1) + ",steps=100,restarts=2", 1e-4);
    // Several at a time share what is left of the radius when the first are full.
    check_optimal(p, pgd + alpha(0.02) + ",steps=1000,sparsity=0.95", 0.1);
    for (const char* const name : {"apgd-ce", "apgd-t"}) {
      CAPTURE(p.name);
      CAPTURE(name);
      LinearModel model(p.image, 2, 11);
      ImageSplit split = split_between(kImages, p.image, 2, p.low, p.high, 12);
      std::fill(split.labels.begin(), split.labels.end(), 0);
      // The mean image ends on the boundary: about half of them stay right.
      double drop = 0;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> x = image_of(split, i);
        drop += model.margin(x, 0) - extreme_margin(model, x, 0, attacks::Norm::l1, p.eps_l1, false);
      }
      model.centre(split, drop / kImages);
      const std::vector<attacks::Stage> stages =
          attacks::parse_attacks(std::string(name) + ":norm=l1,eps=" + eps).front().stages(2);
      REQUIRE(stages.size() == 1);
      const attacks::Evaluation e = evaluate(model.network(), split, *stages[0].perturbation);
      std::int64_t reached = 0, fooled = 0;
      double worst = 0;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> x = image_of(split, i);
        const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
        const double margin = extreme_margin(model, x, label, attacks::Norm::l1, p.eps_l1, false);
        REQUIRE(std::abs(margin) > 1e-4);
        const double found = model.margin(attacked_image(e, i), label);
        // A run ends with the first image that is taken for the other class.
        CHECK((found < 0) == (margin < 0));
        fooled += found < 0 ? 1 : 0;
        const double gap = (found - margin) / (model.margin(x, label) - margin);
        if (margin > 0) worst = std::max(worst, gap);
        reached += found < 0 || gap <= 1e-3 ? 1 : 0;
      }
      CAPTURE(worst);
      CHECK(reached == kImages);
      CHECK(fooled > 0);
      CHECK(fooled < kImages);
    }
  }
}

TEST_CASE(
    "linear models: a first step goes along the sign or the direction of the gradient of the chosen class") {
  const Shape image{1, 2, 4, 4};
  constexpr std::int64_t kClasses = 5;
  LinearModel model(image, kClasses, 21);
  const ImageSplit split = split_between(kImages, image, kClasses, 60, 190, 22);
  const double eps = 0.05;
  const auto expected_linf = [&](std::int64_t i, std::int32_t aim, double sign) {
    std::vector<double> x = image_of(split, i);
    const std::vector<double> g = model.loss_gradient(x, aim);
    for (std::size_t j = 0; j < x.size(); ++j) x[j] += sign * eps * (g[j] > 0 ? 1 : -1);
    return x;
  };
  const auto matches = [&](const attacks::Evaluation& e, std::int64_t i,
                           const std::vector<double>& expected) {
    const std::vector<double> actual = attacked_image(e, i);
    for (std::size_t j = 0; j < expected.size(); ++j)
      if (std::abs(actual[j] - expected[j]) > 1e-6) return false;
    return true;
  };
  SUBCASE("away from the label") {
    const attacks::Evaluation e =
        evaluate(model.network(), split, attacks::Pgd(attacks::parse_pgd("fgsm:eps=0.05"), "fgsm"));
    for (std::int64_t i = 0; i < kImages; ++i)
      CHECK(matches(e, i, expected_linf(i, split.labels[static_cast<std::size_t>(i)], 1)));
  }
  SUBCASE("towards a given class") {
    const attacks::Evaluation e =
        evaluate(model.network(), split, attacks::Pgd(attacks::parse_pgd("fgsm:eps=0.05,target=3"), "fgsm"));
    for (std::int64_t i = 0; i < kImages; ++i) CHECK(matches(e, i, expected_linf(i, 3, -1)));
  }
  SUBCASE("towards the least likely class") {
    const attacks::Evaluation e =
        evaluate(model.network(), split,
                 attacks::Pgd(attacks::parse_pgd("fgsm:eps=0.05,target=least_likely"), "fgsm"));
    for (std::int64_t i = 0; i < kImages; ++i) {
      std::vector<double> z = model.logits(image_of(split, i));
      z[static_cast<std::size_t>(split.labels[static_cast<std::size_t>(i)])] =
          std::numeric_limits<double>::infinity();  // never the label
      const auto least = static_cast<std::int32_t>(std::min_element(z.begin(), z.end()) - z.begin());
      CHECK(matches(e, i, expected_linf(i, least, -1)));
    }
  }
  SUBCASE("towards a random class, never the label, another one with another seed") {
    const attacks::Pgd attack(attacks::parse_pgd("fgsm:eps=0.05,target=random"), "fgsm");
    std::vector<std::vector<std::int32_t>> targets;
    for (const std::uint64_t seed : {1, 2}) {
      const attacks::Evaluation e = evaluate(model.network(), split, attack, 16, seed);
      std::vector<std::int32_t> found;
      for (std::int64_t i = 0; i < kImages; ++i) {
        std::vector<std::int32_t> fitting;
        for (std::int32_t t = 0; t < kClasses; ++t)
          if (matches(e, i, expected_linf(i, t, -1))) fitting.push_back(t);
        REQUIRE(fitting.size() == 1);
        CHECK(fitting[0] != split.labels[static_cast<std::size_t>(i)]);
        found.push_back(fitting[0]);
      }
      CHECK(std::set<std::int32_t>(found.begin(), found.end()).size() == kClasses);
      targets.push_back(found);
    }
    CHECK(targets[0] != targets[1]);
  }
  SUBCASE("along the gradient's direction in L2") {
    const attacks::Evaluation e =
        evaluate(model.network(), split,
                 attacks::Pgd(attacks::parse_pgd("pgd:norm=l2,eps=0.5,alpha=0.2,steps=1,random_start=0")));
    for (std::int64_t i = 0; i < kImages; ++i) {
      std::vector<double> x = image_of(split, i);
      const std::vector<double> g = model.loss_gradient(x, split.labels[static_cast<std::size_t>(i)]);
      double norm = 0;
      for (const double v : g) norm += v * v;
      for (std::size_t j = 0; j < x.size(); ++j) x[j] += 0.2 * g[j] / std::sqrt(norm);
      CHECK(matches(e, i, x));
    }
  }
  SUBCASE("a target that is no class of the network is refused") {
    check_throws(ErrorKind::usage, "target is class 5, expected 0 to 4", [&] {
      evaluate(model.network(), split, attacks::Pgd(attacks::parse_pgd("fgsm:target=5"), "fgsm"));
    });
  }
}

}  // namespace inocula::test
