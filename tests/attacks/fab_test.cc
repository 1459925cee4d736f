// FAB: on linear models the nearest adversarial image in every norm, by either form; bounds, batches,
// refusals.
#include "attacks/fab.h"

#include <algorithm>
#include <cmath>

#include "attacks/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

std::unique_ptr<Perturbation> make(const std::string& text, std::int64_t classes = 2) {
  return std::move(attacks::parse_attacks(text)[0].stages(classes)[0].perturbation);
}

double distance(const std::string& norm, const std::vector<double>& x, const std::vector<double>& clean) {
  double largest = 0, squares = 0, sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = std::abs(x[i] - clean[i]);
    largest = std::max(largest, d);
    squares += d * d;
    sum += d;
  }
  return norm == "linf" ? largest : norm == "l2" ? std::sqrt(squares) : sum;
}

/// Distance of the nearest image on the plane margin + <g, . - x> = 0, in the box; infinite where it has
/// none.
double plane_distance(const std::string& norm, double margin, const std::vector<double>& g,
                      const std::vector<double>& x) {
  double at_x = 0;
  for (std::size_t i = 0; i < x.size(); ++i) at_x += g[i] * x[i];
  const auto least = norm == "linf" ? least_linf : norm == "l2" ? least_l2 : least_l1;
  double low = 0, high = static_cast<double>(x.size());
  const auto left = [&](double eps) { return margin + least(g, x, eps) - at_x; };
  if (left(high) > 0) return std::numeric_limits<double>::infinity();
  for (int turn = 0; turn < 100; ++turn) {
    const double middle = (low + high) / 2;
    (left(middle) > 0 ? low : high) = middle;
  }
  return high;
}

double nearest_distance(const LinearModel& model, const std::string& norm, const std::vector<double>& x,
                        std::int32_t label) {
  return plane_distance(norm, model.margin(x, label), model.margin_gradient(label), x);
}

constexpr std::int64_t kImages = 24, kClasses = 4;
const Shape kImage{1, 1, 9, 8};

const ImageSplit& images() {
  static const ImageSplit split = split_between(kImages, kImage, kClasses, 0, 255, 4);
  return split;
}

/// A network all of whose classes are within reach: the images' mean logits are 0.
Network& victim() {
  static Network network(small_resnet(kImage, 4, kClasses), cpu());
  static const bool ready = [] {
    randomize(network, 3);
    const attacks::Evaluation e = evaluate(network, images(), *make("fgsm:eps=0"));
    std::vector<float> bias = find_weight(network, "fc.bias");
    for (std::size_t i = 0; i < e.clean_logits.size(); ++i)
      bias[i % kClasses] -= e.clean_logits[i] / static_cast<float>(kImages);
    set_weight(network, "fc.bias", bias);
    return true;
  }();
  (void)ready;
  return network;
}

}  // namespace

TEST_CASE("fab: of linear models it finds the least distance in every norm, however much the box cuts") {
  struct Problem {
    const char* name;
    Shape image;
    int low, high;
  };
  for (const Problem& p : {Problem{"interior", {1, 1, 6, 5}, 70, 180},
                           {"box active", {1, 3, 4, 5}, 0, 255},
                           {"mostly on the border", {1, 2, 5, 5}, 0, 20}})
    for (const std::string norm : {"linf", "l2", "l1"})
      for (const std::string name : {"fab", "fab-t"}) {
        CAPTURE(p.name);
        CAPTURE(norm);
        CAPTURE(name);
        LinearModel model(p.image, 2, 11);
        const ImageSplit split = split_between(30, p.image, 2, p.low, p.high, 12);
        model.centre(split, 0);
        const attacks::Evaluation e = evaluate(model.network(), split, *make(name + ":eps=inf,norm=" + norm));
        int right = 0;
        for (std::int64_t i = 0; i < split.count; ++i) {
          const std::vector<double> x = image_of(split, i), found = attacked_image(e, i);
          const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
          if (model.margin(x, label) <= 0) continue;
          const double least = nearest_distance(model, norm, x, label);
          REQUIRE(std::isfinite(least));
          ++right;
          CHECK(model.margin(found, label) < 1e-6);
          CHECK(distance(norm, found, x) <= 1.01 * least);
        }
        CHECK(right > 5);
      }
}

TEST_CASE("fab: of several classes it finds the nearest") {
  constexpr std::int32_t kMany = 5;
  const Shape image{1, 1, 6, 6};
  LinearModel model(image, kMany, 21);
  const ImageSplit split = split_between(30, image, kMany, 0, 255, 22);
  int more_farther = 0;
  for (const std::string norm : {"linf", "l2", "l1"}) {
    CAPTURE(norm);
    const attacks::Evaluation e = evaluate(model.network(), split, *make("fab:eps=inf,norm=" + norm)),
                              likeliest = evaluate(model.network(), split,
                                                   *make("fab-t:eps=inf,target=likely1,norm=" + norm));
    // Without a radius one part tries all classes and keeps the nearest image.
    const std::vector<attacks::Stage> stages =
        attacks::parse_attacks("fab-t:eps=inf,norm=" + norm).front().stages(kMany);
    REQUIRE(stages.size() == 1);
    const attacks::Evaluation each = evaluate(model.network(), split, *stages[0].perturbation);
    int right = 0, farther = 0;
    for (std::int64_t i = 0; i < split.count; ++i) {
      const std::vector<double> x = image_of(split, i), z = model.logits(x);
      const auto label = static_cast<std::size_t>(split.labels[static_cast<std::size_t>(i)]);
      if (std::max_element(z.begin(), z.end()) != z.begin() + static_cast<std::ptrdiff_t>(label)) continue;
      ++right;
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t k = 0; k < z.size(); ++k) {
        if (k == label) continue;
        // The model is linear: a difference is the slope.
        std::vector<double> g;
        for (std::size_t j = 0; j < x.size(); ++j) {
          std::vector<double> moved = x;
          moved[j] += 1;
          const std::vector<double> there = model.logits(moved);
          g.push_back(there[label] - there[k] - (z[label] - z[k]));
        }
        least = std::min(least, plane_distance(norm, z[label] - z[k], g, x));
      }
      const double found = distance(norm, attacked_image(e, i), x),
                   other = distance(norm, attacked_image(likeliest, i), x);
      CHECK(found > 0);
      // Steps take turns between boundaries that are about as near.
      CHECK(found <= 1.02 * least);
      CHECK(distance(norm, attacked_image(each, i), x) <= 1.02 * least);
      farther += other > 1.05 * least ? 1 : 0;
    }
    CHECK(right > 3);
    CHECK(farther < right);
    more_farther += farther;
  }
  CHECK(more_farther > 0);  // the likeliest class is not always the nearest
}

TEST_CASE("fab: without a radius restarts and targets are one part, with one they are parts of their own") {
  const auto specs = [](const std::string& text) {
    std::vector<std::string> list;
    for (const attacks::Stage& s : attacks::parse_attacks(text).front().stages(4))
      list.push_back(s.perturbation->spec().substr(s.perturbation->spec().find("beta=0.9") + 8));
    return list;
  };
  using List = std::vector<std::string>;
  CHECK(specs("fab-t:eps=inf") == List{",targets=3"});
  CHECK(specs("fab-t:eps=inf,restarts=2,targets=2") == List{",targets=2,restarts=2"});
  CHECK(specs("fab:eps=inf,restarts=2") == List{",restarts=2"});
  CHECK(specs("fab-t:eps=inf,target=1,restarts=2") == List{",target=1,restarts=2"});
  CHECK(specs("fab:restarts=2") == List{"", ""});
  CHECK(specs("fab-t:targets=2") == List{",target=likely1", ",target=likely2"});
  // The nearest of all restarts is what each alone finds at best.
  std::vector<double> nearest(static_cast<std::size_t>(kImages), std::numeric_limits<double>::infinity());
  for (const std::uint32_t restart : {0u, 1u, 2u}) {
    const auto attack = make("fab-t:eps=inf,steps=3,norm=l1");
    attacks::Evaluator alone(victim(), images(), *attack, {.batch = 16, .seed = 7, .restart = restart});
    const attacks::Evaluation e = alone.run();
    for (std::size_t i = 0; i < nearest.size(); ++i)
      if (e.norms[i].l1 > 0) nearest[i] = std::min(nearest[i], e.norms[i].l1);
  }
  const attacks::Evaluation all =
      evaluate(victim(), images(), *make("fab-t:eps=inf,steps=3,norm=l1,restarts=3"));
  int found = 0;
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    if (all.norms[i].l1 == 0) continue;  // wrong already, or found by none
    CHECK(all.norms[i].l1 == doctest::Approx(nearest[i]).epsilon(1e-6));
    ++found;
  }
  CHECK(found > 2);
}

TEST_CASE("fab: what lies beyond eps is the clean image, what is handed on lies within") {
  const Shape image{1, 1, 6, 5};
  LinearModel model(image, 2, 11);
  const ImageSplit split = split_between(30, image, 2, 70, 180, 12);
  model.centre(split, 0);
  const double eps = 0.02;
  const attacks::Evaluation e = evaluate(model.network(), split, *make("fab-t:eps=0.02"));
  int broken = 0, robust = 0;
  for (std::int64_t i = 0; i < split.count; ++i) {
    const std::vector<double> x = image_of(split, i), found = attacked_image(e, i);
    const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
    if (model.margin(x, label) <= 0) continue;
    const double least = nearest_distance(model, "linf", x, label);
    CHECK(distance("linf", found, x) <= static_cast<double>(static_cast<float>(eps)));
    if (least > eps) CHECK(found == x);
    if (least < eps / 1.02) CHECK(model.margin(found, label) < 1e-6);
    ++(least > eps ? robust : broken);
  }
  CHECK(broken > 2);
  CHECK(robust > 2);
}

TEST_CASE("fab: on a network it breaks what it hands on, inside the box") {
  for (const std::string norm : {"linf", "l2", "l1"}) {
    CAPTURE(norm);
    const attacks::Evaluation all = evaluate(victim(), images(), *make("fab:eps=inf,steps=30,norm=" + norm)),
                              one =
                                  evaluate(victim(), images(), *make("fab-t:eps=inf,steps=30,norm=" + norm));
    const std::vector<std::int32_t> clean = attacks::argmax_rows(all.clean_logits, kClasses),
                                    broken = attacks::argmax_rows(all.logits, kClasses),
                                    broken_one = attacks::argmax_rows(one.logits, kClasses);
    int right = 0, found = 0, found_one = 0;
    for (std::size_t i = 0; i < clean.size(); ++i) {
      if (clean[i] != images().labels[i]) continue;
      ++right;
      found += broken[i] != clean[i] ? 1 : 0;
      found_one += broken_one[i] != clean[i] ? 1 : 0;
      CHECK(all.norms[i].lowest >= 0);
      CHECK(all.norms[i].highest <= 1);
    }
    CHECK(right > 2);
    CHECK(found == right);
    CHECK(found_one > 0);
    CHECK(total(all.all_gradients) == 30 * kImages);
  }
}

TEST_CASE("fab: an image's result depends on the image, the seed and the restart alone") {
  for (const std::string spec : {"fab:eps=inf,steps=10", "fab-t:norm=l2,eps=inf,steps=10,target=likely2",
                                 "fab-t:norm=l1,eps=inf,steps=10,target=random"}) {
    CAPTURE(spec);
    const auto attack = make(spec, kClasses);
    const auto run = [&](std::int64_t batch, std::uint32_t restart) {
      attacks::Evaluator evaluator(
          victim(), images(), *attack,
          {.batch = batch, .seed = 7, .keep_images = attacks::KeepImages::yes, .restart = restart});
      return evaluator.run();
    };
    for (const std::uint32_t restart : {0u, 1u}) {
      const attacks::Evaluation one = run(1, restart);
      for (const std::int64_t batch : {7, 64}) CHECK(run(batch, restart).images == one.images);
    }
    CHECK(run(7, 1).images != run(7, 0).images);
    CHECK(run(7, 1).images != run(7, 2).images);
  }
}

TEST_CASE("fab: the canonical form is read back as itself, and what is out of range refused") {
  const auto canonical = [](const std::string& text) {
    const auto list = attacks::parse_attacks(text);
    REQUIRE(list.size() == 1);
    const std::string restarts = ",restarts=1", spec = list[0].stages(4)[0].perturbation->spec();
    CHECK(list[0].canonical == spec + restarts);
    return spec;
  };
  CHECK(canonical("fab") == "fab:norm=linf,eps=8/255,steps=100,alpha_max=0.1,eta=1.05,beta=0.9");
  CHECK(canonical("fab-t:norm=l1,target=likely1") ==
        "fab-t:norm=l1,eps=12,steps=100,alpha_max=0.1,eta=1.05,beta=0.9,target=likely1");
  for (const char* text :
       {"fab:eps=inf", "fab-t:norm=l2,eps=2,target=3,steps=7,alpha_max=0.2,eta=1.1,beta=0.5"})
    CHECK(canonical(canonical(text)) == canonical(text));
  CHECK(std::isinf(attacks::parse_attacks("fab:eps=inf")[0].eps));
  const auto refuse = [](const std::string& text, const std::string& part) {
    CAPTURE(text);
    check_throws(ErrorKind::usage, part, [&] { attacks::parse_attacks(text); });
  };
  refuse("fab:norm=l0", "norm=l0, expected linf or l2 or l1");
  refuse("fab:eps=2", "fab: eps is 2, expected at most 1, in units of the pixel range [0, 1], or inf");
  refuse("fab-t:eps=-1", "fab-t: eps is -1, expected 0 or more");
  refuse("fab:steps=0", "fab: steps is 0, expected at least 1");
  refuse("fab:alpha_max=2", "fab: alpha_max is 2, expected 0 to 1");
  refuse("fab:eta=0.9", "fab: eta is 0.9, expected at least 1");
  refuse("fab:beta=0", "fab: beta is 0, expected above 0 and at most 1");
  refuse("fab:target=1", "unknown key 'target'");
  refuse("pgd:eps=inf", "pgd: eps is inf, expected 0 or more");
  check_throws(ErrorKind::usage, "fab-t: target is number 4 of the likeliest other classes, expected 1 to 3",
               [&] { make("fab-t:target=likely4", kClasses); });
}

}  // namespace inocula::test
