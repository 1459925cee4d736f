// The Square attack: near the worst case of linear models, never outside ball and box, never worse by more
// queries, and the same for every batch size.
#include "attacks/square.h"

#include <algorithm>
#include <cmath>

#include "attacks/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

attacks::Square make(const std::string& text) {
  const Spec s = Spec::parse(text);
  return attacks::Square(attacks::parse_square_spec(s, s.number("eps", attacks::usual_square_eps(s))));
}

constexpr std::int64_t kImages = 24, kClasses = 3;
const Shape kImage{1, 2, 9, 12};

Network& victim() {
  static Network network(small_resnet(kImage, 4, kClasses), cpu());
  static const bool ready = (randomize(network, 3), true);
  (void)ready;
  return network;
}

const ImageSplit& images() {
  static const ImageSplit split = split_between(kImages, kImage, kClasses, 0, 255, 4);
  return split;
}

/// z_o - z_y of every sample's perturbed image.
std::vector<double> margins(const attacks::Evaluation& e) {
  std::vector<double> found;
  for (std::int64_t i = 0; i < e.n; ++i) {
    const float* const z = e.logits.data() + i * e.classes;
    const std::int32_t y = e.label[static_cast<std::size_t>(i)];
    double other = -1e30;
    for (std::int32_t k = 0; k < e.classes; ++k)
      if (k != y) other = std::max(other, double{z[k]});
    found.push_back(other - z[y]);
  }
  return found;
}

}  // namespace

TEST_CASE("square: of a linear model it finds the worst image of the L-infinity ball") {
  const Shape image{1, 2, 6, 5};
  LinearModel model(image, 2, 11);
  const ImageSplit split = split_between(12, image, 2, 0, 255, 12);
  model.centre(split, 0);
  const double eps = 0.02;
  const attacks::Evaluation e = evaluate(model.network(), split, make("square:eps=0.02,queries=4000"));
  int unbroken = 0;
  for (std::int64_t i = 0; i < split.count; ++i) {
    const std::vector<double> x = image_of(split, i), found = attacked_image(e, i);
    const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
    const std::vector<double> g = model.margin_gradient(label);
    double at_x = 0;
    for (std::size_t j = 0; j < x.size(); ++j) at_x += g[j] * x[j];
    const double clean = model.margin(x, label), worst = clean + least_linf(g, x, eps) - at_x;
    if (worst < 0) {  // can be broken, and is
      CHECK(model.margin(found, label) < 1e-6);
      continue;
    }
    ++unbroken;
    CHECK(model.margin(found, label) - worst <= 0.01 * (clean - worst));
  }
  CHECK(unbroken > 2);
  CHECK(unbroken < 12);
}

TEST_CASE("square: of a linear model it comes near the worst image of the L2 ball") {
  const Shape image{1, 1, 8, 8};
  LinearModel model(image, 2, 11);
  const ImageSplit split = split_between(12, image, 2, 100, 150, 12);
  model.centre(split, 0);
  const attacks::Evaluation e =
      evaluate(model.network(), split, make("square:norm=l2,eps=0.02,queries=4000"));
  int unbroken = 0;
  for (std::int64_t i = 0; i < split.count; ++i) {
    const std::vector<double> x = image_of(split, i), found = attacked_image(e, i);
    const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
    const std::vector<double> g = model.margin_gradient(label);
    double at_x = 0;
    for (std::size_t j = 0; j < x.size(); ++j) at_x += g[j] * x[j];
    const double clean = model.margin(x, label), worst = clean + least_l2(g, x, 0.02) - at_x;
    if (clean < 0 || model.margin(found, label) < 0) continue;
    ++unbroken;
    // Smooth patterns do not make every direction.
    CHECK(model.margin(found, label) - worst <= 0.35 * (clean - worst));
  }
  CHECK(unbroken > 2);
}

TEST_CASE("square: images stay in the ball and in the box") {
  for (const std::string spec :
       {"square:eps=8/255,queries=60", "square:eps=0.4,queries=60,p=0.3", "square:eps=1,queries=20",
        "square:norm=l2,eps=0.7,queries=60", "square:norm=l2,eps=5,queries=60",
        "square:norm=l2,eps=1e-3,queries=20", "square:eps=0,queries=5", "square:norm=l2,eps=0,queries=5"}) {
    CAPTURE(spec);
    const double eps = Spec::parse(spec).number("eps", 0);
    const bool linf = spec.find("l2") == std::string::npos;
    const attacks::Evaluation e = evaluate(victim(), images(), make(spec));
    for (const PerturbationNorm& n : e.norms) {
      CHECK(n.lowest >= 0);
      CHECK(n.highest <= 1);
      CHECK((linf ? n.linf : n.l2) <= static_cast<double>(static_cast<float>(eps)));
      CHECK((eps == 0 || n.l0 > 0));
    }
    CHECK(e.all_gradients == 0);
  }
}

TEST_CASE("square: more queries never lower a margin, unless the search was over") {
  for (const std::string norm : {"linf", "l2"}) {
    const auto run = [&](int queries) {
      return evaluate(victim(), images(),
                      make("square:norm=" + norm + ",eps=" + (norm == "linf" ? "0.02" : "0.1") +
                           ",queries=" + std::to_string(queries)));
    };
    const attacks::Evaluation one = run(1), some = run(30), many = run(120);
    const std::vector<double> a = margins(one), b = margins(some), c = margins(many);
    int risen = 0, broken = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(b[i] >= a[i] - 1e-6);
      CHECK(c[i] >= b[i] - 1e-6);
      if (b[i] > 1e-6) {
        CHECK(attacked_image(many, static_cast<std::int64_t>(i)) ==
              attacked_image(some, static_cast<std::int64_t>(i)));
        ++broken;
      }
      risen += c[i] > a[i] ? 1 : 0;
    }
    CHECK(risen > 3);
    CHECK(broken > 0);
  }
}

TEST_CASE("square: an image's result depends on the image, the seed and the restart alone") {
  for (const std::string spec : {"square:eps=0.03,queries=40", "square:norm=l2,eps=0.2,queries=40"}) {
    CAPTURE(spec);
    const attacks::Evaluation one = evaluate(victim(), images(), make(spec), 1);
    for (const std::int64_t batch : {7, 64}) {
      const attacks::Evaluation e = evaluate(victim(), images(), make(spec), batch);
      CHECK(e.images == one.images);
      CHECK(e.logits == one.logits);
    }
    CHECK(evaluate(victim(), images(), make(spec), 7, 8).images != one.images);
  }
}

TEST_CASE("square: the canonical form is read back as itself, and what is out of range refused") {
  const auto canonical = [](const std::string& text) {
    const auto list = attacks::parse_attacks(text);
    REQUIRE(list.size() == 1);
    const std::string restarts = ",restarts=1", spec = list[0].stages(2)[0].perturbation->spec();
    CHECK(list[0].canonical == spec + restarts);
    return spec;
  };
  CHECK(canonical("square") == "square:norm=linf,eps=8/255,queries=5000,p=0.8,rescale=0");
  CHECK(canonical("square:norm=l2") == "square:norm=l2,eps=1,queries=5000,p=0.8,rescale=0");
  CHECK(attacks::parse_attacks("square:queries=70")[0].steps == 70);
  for (const char* text : {"square:eps=0.1,queries=3,p=0.05,rescale=1", "square:norm=l2,eps=2"})
    CHECK(canonical(canonical(text)) == canonical(text));
  const auto refuse = [](const std::string& text, const std::string& part) {
    CAPTURE(text);
    check_throws(ErrorKind::usage, part, [&] { attacks::parse_attacks(text); });
  };
  refuse("square:norm=l1", "norm=l1, expected linf or l2");
  refuse("square:eps=2", "square: eps is 2, expected at most 1");
  refuse("square:eps=-1", "square: eps is -1, expected 0 or more");
  refuse("square:queries=0", "square: queries is 0, expected 1 to 10000000");
  refuse("square:p=0", "square: p is 0, expected a share of the pixels above 0 and at most 1");
  refuse("square:p=1.1", "square: p is 1.1");
  refuse("square:rescale=2", "rescale=2");
  refuse("square:target=1",
         "unknown key 'target', expected one of: norm, eps, queries, p, rescale, restarts, seed");
}

}  // namespace inocula::test
