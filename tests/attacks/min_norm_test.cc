// Attacks that look for the nearest image: against the distances that linear models have, and pair by pair.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "attacks/cw.h"
#include "attacks/deepfool.h"
#include "attacks/jsma.h"
#include "attacks/registry.h"
#include "kernels/deepfool.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

constexpr std::int64_t kImages = 60;
constexpr double kUnreachable = std::numeric_limits<double>::infinity();

attacks::Evaluation attacked(LinearModel& model, const ImageSplit& split, const std::string& spec,
                             std::int64_t batch = 16) {
  const std::vector<attacks::NamedAttack> list = attacks::parse_attacks(spec);
  REQUIRE(list.size() == 1);
  const std::vector<attacks::Stage> stages = list[0].stages(model.classes());
  REQUIRE(stages.size() == 1);
  return evaluate(model.network(), split, *stages[0].perturbation, batch);
}

std::vector<double> difference(const attacks::Evaluation& e, const ImageSplit& split, std::int64_t i) {
  std::vector<double> d = attacked_image(e, i);
  const std::vector<double> x = image_of(split, i);
  for (std::size_t j = 0; j < d.size(); ++j) d[j] = std::abs(d[j] - x[j]);
  return d;
}

double l2_of(const std::vector<double>& d) {
  double squares = 0;
  for (const double v : d) squares += v * v;
  return std::sqrt(squares);
}

double linf_of(const std::vector<double>& d) {
  return *std::max_element(d.begin(), d.end());
}

std::int64_t l0_of(const std::vector<double>& d) {
  return std::count_if(d.begin(), d.end(), [](double v) { return v != 0; });
}

std::int32_t answer(const std::vector<double>& z) {
  return static_cast<std::int32_t>(std::max_element(z.begin(), z.end()) - z.begin());
}

/// d z_k / dx of any number of classes: what the loss's gradients at two labels differ by.
std::vector<double> logit_difference(const LinearModel& model, const std::vector<double>& x, std::int32_t up,
                                     std::int32_t down) {
  std::vector<double> g = model.loss_gradient(x, down);
  const std::vector<double> other = model.loss_gradient(x, up);
  for (std::size_t j = 0; j < g.size(); ++j) g[j] -= other[j];
  return g;
}

/// Distance to the plane on which class k is level with class `from`, without the box.
double plane_distance(const LinearModel& model, const std::vector<double>& x, std::int32_t from,
                      std::int32_t k, bool linf) {
  const std::vector<double> z = model.logits(x), g = logit_difference(model, x, k, from);
  double sum = 0;
  for (const double v : g) sum += linf ? std::abs(v) : v * v;
  return (z[static_cast<std::size_t>(from)] - z[static_cast<std::size_t>(k)]) / (linf ? sum : std::sqrt(sum));
}

/// Distance to the nearest image of another answer than the label's; 0 where that is so already. With a
/// `lead`, to where that answer is ahead by such a share of both logits' magnitudes.
double least_distance(const LinearModel& model, const std::vector<double>& x, std::int32_t label, bool linf,
                      double lead = 0) {
  const std::vector<double> z = model.logits(x);
  if (answer(z) != label) return 0;
  double least = kUnreachable;
  const double own = z[static_cast<std::size_t>(label)];
  for (std::int32_t k = 0; k < model.classes(); ++k) {
    if (k == label) continue;
    const double other = z[static_cast<std::size_t>(k)];
    const double further = lead * (std::abs(own) + std::abs(other)) / (own - other);
    least = std::min(least, plane_distance(model, x, label, k, linf) * (1 + further));
  }
  return least;
}

/// Pixels that stay away from black and white, and boundaries near enough that the box plays no part.
struct Interior {
  LinearModel model;
  ImageSplit split;

  explicit Interior(std::int64_t classes, const Shape& image = {1, 1, 6, 5})
      : model(image, classes, 11), split(split_between(kImages, image, classes, 90, 165, 12)) {
    if (classes == 2) {
      model.centre(split, 0);
      return;
    }
    // The classes' mean logits on one level, or one class would win everywhere.
    std::vector<double> mean(static_cast<std::size_t>(classes));
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::vector<double> z = model.logits(image_of(split, i));
      for (std::size_t k = 0; k < z.size(); ++k) mean[k] += z[k] / kImages;
    }
    std::vector<float> bias = find_weight(model.network(), "fc.bias");
    for (std::size_t k = 0; k < bias.size(); ++k) bias[k] -= static_cast<float>(mean[k]);
    set_weight(model.network(), "fc.bias", bias);
    // Half of the images are right.
    for (std::int64_t i = 0; i < kImages; i += 2)
      split.labels[static_cast<std::size_t>(i)] = answer(model.logits(image_of(split, i)));
  }
};

/// Every right image is attacked, at `factor` times the least distance within `tolerance`, or farther by no
/// more than a lead of `lead` takes; no wrong one moves.
void check_least(std::int64_t classes, const std::string& spec, bool linf, double factor, double tolerance,
                 double lead = 0) {
  CAPTURE(classes);
  CAPTURE(spec);
  Interior problem(classes);
  const attacks::Evaluation e = attacked(problem.model, problem.split, spec);
  std::int64_t moved = 0;
  double worst = 0;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const std::vector<double> x = image_of(problem.split, i), d = difference(e, problem.split, i);
    const std::int32_t label = problem.split.labels[static_cast<std::size_t>(i)];
    const double least = least_distance(problem.model, x, label, linf);
    const double found = linf ? linf_of(d) : l2_of(d);
    CHECK(answer(problem.model.logits(attacked_image(e, i))) != label);
    if (least == 0) {
      CHECK(found == 0);
      continue;
    }
    ++moved;
    const double farthest = std::max(factor * least, least_distance(problem.model, x, label, linf, lead));
    worst = std::max({worst, 1 - found / (factor * least), found / farthest - 1});
  }
  CHECK(worst <= tolerance);
  CHECK(moved >= kImages / 3);
  CHECK(moved < kImages);
}

/// What every spec promises whatever the model: pixels in [0, 1], a bound that is kept, hits or clean images.
void check_promises(LinearModel& model, const ImageSplit& split, const std::string& spec, attacks::Norm norm,
                    double eps) {
  CAPTURE(spec);
  const attacks::Evaluation e = attacked(model, split, spec);
  for (std::int64_t i = 0; i < split.count; ++i) {
    const std::vector<double> after = attacked_image(e, i), d = difference(e, split, i);
    CHECK(*std::min_element(after.begin(), after.end()) >= 0);
    CHECK(*std::max_element(after.begin(), after.end()) <= 1);
    const double distance = norm == attacks::Norm::linf ? linf_of(d)
                            : norm == attacks::Norm::l2 ? l2_of(d)
                                                        : static_cast<double>(l0_of(d));
    CHECK(distance <= static_cast<double>(static_cast<float>(eps)));
  }
}

std::string canonical(const std::string& text) {
  const std::vector<attacks::NamedAttack> list = attacks::parse_attacks(text);
  REQUIRE(list.size() == 1);
  return list[0].canonical;
}

void refuse(const std::string& text, const std::string& part) {
  CAPTURE(text);
  check_throws(ErrorKind::usage, part, [&] { attacks::parse_attacks(text); });
}

}  // namespace

TEST_CASE("deepfool ends at the least distance of linear models, times the overshoot") {
  for (const std::int64_t classes : {2, 3, 7}) {
    check_least(classes, "deepfool:overshoot=0.02", false, 1.02, 1e-3);
    // Images so near the boundary that the overshoot alone would be lost in rounding go on until they are
    // ahead: by two steps of kLogitLead at most, and what the overshoot adds to these.
    const double lead = 2.01 * kLogitLead;
    check_least(classes, "deepfool:overshoot=0.001", false, 1.001, 1e-3, lead);
    check_least(classes, "deepfool:norm=linf,overshoot=0.02", true, 1.02, 1e-3);
    check_least(classes, "deepfool:norm=linf,overshoot=0.001", true, 1.001, 1e-3, lead);
    check_least(classes, "deepfool:steps=1", false, 1.02, 1e-3);  // of a linear model one is enough
  }
}

TEST_CASE("deepfool's images stay what they are where logits are rounded otherwise") {
  constexpr double kRounding = 1e-5;
  for (const std::int64_t classes : {2, 5})
    for (const double scale : {1e-3, 1.0, 1e3})
      for (const char* const norm : {"l2", "linf"}) {
        CAPTURE(classes);
        CAPTURE(scale);
        CAPTURE(norm);
        Interior problem(classes);
        for (const char* const name : {"fc.weight", "fc.bias"}) {
          std::vector<float> weight = find_weight(problem.model.network(), name);
          for (float& v : weight) v *= static_cast<float>(scale);
          set_weight(problem.model.network(), name, weight);
        }
        // By so small an overshoot alone a boundary is crossed by less than rounding.
        const attacks::Evaluation e =
            attacked(problem.model, problem.split, std::string("deepfool:overshoot=1e-7,norm=") + norm);
        std::int64_t found = 0;
        for (std::int64_t i = 0; i < kImages; ++i) {
          const std::int32_t label = problem.split.labels[static_cast<std::size_t>(i)];
          if (answer(problem.model.logits(image_of(problem.split, i))) != label) continue;
          std::vector<double> z = problem.model.logits(attacked_image(e, i));
          for (std::size_t k = 0; k < z.size(); ++k)
            z[k] += (static_cast<std::int32_t>(k) == label ? kRounding : -kRounding) * std::abs(z[k]);
          CHECK(answer(z) != label);
          ++found;
        }
        CHECK(found >= kImages / 3);
      }
}

TEST_CASE("deepfool looks at as many classes as it is told, the likeliest") {
  Interior problem(7);
  const attacks::Evaluation e = attacked(problem.model, problem.split, "deepfool:classes=2");
  std::int64_t farther = 0;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const std::vector<double> x = image_of(problem.split, i);
    std::vector<double> z = problem.model.logits(x);
    const std::int32_t label = problem.split.labels[static_cast<std::size_t>(i)];
    if (answer(z) != label) continue;
    z[static_cast<std::size_t>(label)] = -kUnreachable;
    const double second = plane_distance(problem.model, x, label, answer(z), false);
    const double found = l2_of(difference(e, problem.split, i));
    // Others may be nearer and are met on the way; the way to the second's plane is the longest.
    CHECK(found <= second * 1.0201);
    farther += second > 1.01 * least_distance(problem.model, x, label, false) ? 1 : 0;
  }
  CHECK(farther > 0);
}

TEST_CASE("cw ends at the least distance of linear models") {
  check_least(2, "cw:lr=0.002,search=12,c=0.1", false, 1, 1e-2);
  // A step of Adam's is as long in every pixel, so what is nearer than that is passed.
  const double first_step = 0.01 / 2 * std::sqrt(30.0);
  // The likeliest other of several classes is not always the nearest, and the descent stays with it.
  for (const std::int64_t classes : {2, 5}) {
    CAPTURE(classes);
    Interior problem(classes);
    const attacks::Evaluation e = attacked(problem.model, problem.split, "cw");
    std::int64_t right = 0, near = 0;
    for (std::int64_t i = 0; i < kImages; ++i) {
      const double least = least_distance(problem.model, image_of(problem.split, i),
                                          problem.split.labels[static_cast<std::size_t>(i)], false);
      const double found = l2_of(difference(e, problem.split, i));
      CHECK(found >= least * 0.9999 - 1e-6);
      CHECK(found <= std::max(1.1 * least, first_step));
      if (least < first_step) continue;
      ++right;
      near += found <= 1.015 * least ? 1 : 0;
    }
    CHECK(right >= 10);
    CHECK(near >= right * 9 / 10);
    if (classes == 2) CHECK(near == right);
  }
}

TEST_CASE("cw: rounds that end early find what whole ones find, within 1 %, for fewer gradients") {
  for (const std::int64_t classes : {2, 5}) {
    CAPTURE(classes);
    Interior problem(classes);
    const attacks::Evaluation whole = attacked(problem.model, problem.split, "cw:abort_early=0"),
                              early = attacked(problem.model, problem.split, "cw");
    // A turn is left out once a whole batch is done.
    CHECK(early.image_passes.backward < 0.7 * static_cast<double>(whole.image_passes.backward));
    CHECK(early.all_gradients < whole.all_gradients);
    for (std::int64_t i = 0; i < kImages; ++i) {
      const double far = l2_of(difference(early, problem.split, i)),
                   least = l2_of(difference(whole, problem.split, i));
      CHECK(far <= 1.01 * least + 1e-6);
    }
  }
}

TEST_CASE("cw keeps the margin that is asked for") {
  Interior problem(2);
  constexpr double kConfidence = 0.25;
  const attacks::Evaluation e = attacked(problem.model, problem.split, "cw:steps=300,c=0.01,confidence=0.25");
  double worst = 0;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const std::vector<double> x = image_of(problem.split, i);
    const std::int32_t label = problem.split.labels[static_cast<std::size_t>(i)];
    const double margin = problem.model.margin(x, label);
    const double found = l2_of(difference(e, problem.split, i));
    CHECK(problem.model.margin(attacked_image(e, i), label) <= -kConfidence + 1e-5);
    const double least = (margin + kConfidence) / l2_of(problem.model.margin_gradient(label));
    if (margin > -kConfidence)
      worst = std::max(worst, std::abs(found / least - 1));
    else
      CHECK(found == 0);
  }
  // An image that is nearly there already is passed by a step of Adam's.
  CHECK(worst < 0.05);
}

TEST_CASE("cw moves black and white pixels") {
  LinearModel model({1, 2, 5, 5}, 2, 11);
  ImageSplit split = split_between(kImages, {1, 2, 5, 5}, 2, 0, 255, 12);
  for (std::uint8_t& p : split.pixels) p = p < 128 ? 0 : 255;
  model.centre(split, 0);
  const attacks::Evaluation e = attacked(model, split, "cw:steps=1000,search=6");
  std::int64_t right = 0, close = 0;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const std::vector<double> x = image_of(split, i);
    const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
    const double margin = model.margin(x, label);
    if (margin <= 0) continue;
    ++right;
    // The least radius whose ball, cut by the box, reaches the boundary.
    const std::vector<double> g = model.margin_gradient(label);
    double at_x = 0, low = 0, high = 10;
    for (std::size_t j = 0; j < x.size(); ++j) at_x += g[j] * x[j];
    for (int turn = 0; turn < 60; ++turn)
      (least_l2(g, x, (low + high) / 2) - at_x > -margin ? low : high) = (low + high) / 2;
    const double found = l2_of(difference(e, split, i));
    CHECK(model.margin(attacked_image(e, i), label) < 1e-5);  // but for the logits' rounding
    CHECK(found >= low * 0.999);
    close += found <= low * 1.1 ? 1 : 0;
  }
  CHECK(right > kImages / 4);
  CHECK(close >= right * 9 / 10);
}

TEST_CASE("targets are reached, at the least distance of two classes and one beyond") {
  Interior problem(4);
  for (const char* const spec : {"cw:steps=300,c=0.01,target=2", "jsma:theta=0.5,gamma=1,target=2"}) {
    CAPTURE(spec);
    const attacks::Evaluation e = attacked(problem.model, problem.split, spec);
    for (std::int64_t i = 0; i < kImages; ++i) {
      CHECK(answer(problem.model.logits(attacked_image(e, i))) == 2);
      if (answer(problem.model.logits(image_of(problem.split, i))) == 2)
        CHECK(l2_of(difference(e, problem.split, i)) == 0);
      else  // a class between the two can only make the way longer
        CHECK(l2_of(difference(e, problem.split, i)) >=
              0.999 * plane_distance(problem.model, image_of(problem.split, i),
                                     answer(problem.model.logits(image_of(problem.split, i))), 2, false));
    }
  }
  for (const char* const spec : {"cw:target=4", "jsma:target=4"})
    check_throws(ErrorKind::usage, "target is class 4, expected 0 to 3",
                 [&] { attacked(problem.model, problem.split, spec); });
  check_throws(ErrorKind::usage, "expected 1 to 3",
               [&] { attacked(problem.model, problem.split, "jsma:target=likely4"); });
}

TEST_CASE("jsma takes, step by step, the pairs that a search through all of them finds") {
  for (const std::int64_t classes : {2, 4})
    for (const double theta : {1.0, -1.0, 0.5}) {
      CAPTURE(classes);
      CAPTURE(theta);
      Interior problem(classes);
      const attacks::Evaluation e =
          attacked(problem.model, problem.split, "jsma:gamma=1,target=next,theta=" + std::to_string(theta));
      std::int64_t reached = 0, compared = 0;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> clean = image_of(problem.split, i);
        const auto target =
            static_cast<std::int32_t>((problem.split.labels[static_cast<std::size_t>(i)] + 1) % classes);
        // The gradients of the target's logit and of the others' sum, from finite differences of a linear
        // function.
        std::vector<double> a(clean.size()), b(clean.size()), x = clean;
        const std::vector<double> z = problem.model.logits(clean);
        for (std::size_t j = 0; j < clean.size(); ++j) {
          std::vector<double> moved = clean;
          moved[j] += 1;
          const std::vector<double> after = problem.model.logits(moved);
          for (std::size_t k = 0; k < z.size(); ++k)
            (static_cast<std::int32_t>(k) == target ? a : b)[j] += after[k] - z[k];
        }
        bool ambiguous = false, found = true;
        while (found && answer(problem.model.logits(x)) != target) {
          double best = 0, second = 0;
          std::size_t p = 0, q = 0;
          found = false;
          const auto open = [&](std::size_t j) { return theta > 0 ? x[j] < 1 : x[j] > 0; };
          for (std::size_t m = 0; m < x.size(); ++m)
            for (std::size_t n = m + 1; n < x.size(); ++n) {
              const double up = (a[m] + a[n]) * (theta > 0 ? 1 : -1);
              const double down = (b[m] + b[n]) * (theta > 0 ? 1 : -1);
              if (!open(m) || !open(n) || up <= 0 || down >= 0 || -up * down <= second) continue;
              second = -up * down;
              if (second > best) std::swap(best, second), p = m, q = n, found = true;
            }
          // Where two pairs are as good as each other, rounding may choose.
          ambiguous = ambiguous || (found && second > best * (1 - 1e-5));
          if (!found) break;
          for (const std::size_t j : {p, q}) x[j] = std::clamp(x[j] + theta, 0.0, 1.0);
        }
        if (ambiguous) continue;
        ++compared;
        if (!found) x = clean;  // out of pairs
        reached += found ? 1 : 0;
        double worst = 0;
        const std::vector<double> actual = attacked_image(e, i);
        for (std::size_t j = 0; j < x.size(); ++j) worst = std::max(worst, std::abs(actual[j] - x[j]));
        CHECK(worst < 1e-6);
      }
      CHECK(compared > kImages / 2);
      CHECK(reached > kImages / 3);
    }
}

TEST_CASE("jsma changes no more values than gamma or eps allow, and one at a time without pairs") {
  Interior problem(3);
  for (const auto& [spec, most] :
       std::vector<std::pair<std::string, std::int64_t>>{{"jsma:gamma=0.2", 6},
                                                         {"jsma:gamma=0.1,pairs=0", 3},
                                                         {"jsma:gamma=0.3,eps=4", 4},
                                                         {"jsma:gamma=1,eps=2", 2},
                                                         {"jsma:theta=0.1,gamma=0.2", 6},
                                                         {"jsma:gamma=0.01", 0},
                                                         {"jsma:eps=1", 0}}) {
    CAPTURE(spec);
    const attacks::Evaluation e = attacked(problem.model, problem.split, spec);
    std::int64_t largest = 0;
    for (std::int64_t i = 0; i < kImages; ++i)
      largest = std::max(largest, l0_of(difference(e, problem.split, i)));
    CHECK(largest <= most);
    CHECK((largest > 0) == (most > 0));
  }
  CHECK(attacks::Jsma(attacks::JsmaSpec{}).most_steps(784) == 56);
  CHECK(attacks::Jsma({.theta = 0.5, .gamma = 0.1, .pairs = false}).most_steps(100) == 20);
}

TEST_CASE("attacks for the nearest image: the same images whatever the batch") {
  Interior problem(5);
  for (const char* const spec : {"deepfool", "deepfool:norm=linf", "cw:steps=30,search=3,c=1",
                                 "cw:steps=200,search=5,c=0.1", "cw:steps=30,search=3,c=1,target=next",
                                 "jsma:gamma=1", "jsma:pairs=0,theta=-0.5,gamma=1,target=random"}) {
    CAPTURE(spec);
    const std::vector<float> of_one = attacked(problem.model, problem.split, spec, 1).images;
    for (const std::int64_t batch : {7, 64})
      CHECK(attacked(problem.model, problem.split, spec, batch).images == of_one);
  }
}

TEST_CASE("attacks for the nearest image keep to eps and to the pixels' range") {
  // Of the images' pixels many are black or white.
  LinearModel model({1, 3, 4, 5}, 3, 5);
  ImageSplit split = split_between(kImages, {1, 3, 4, 5}, 3, 0, 255, 6);
  for (std::size_t p = 0; p < split.pixels.size(); p += 2) split.pixels[p] = split.pixels[p] < 128 ? 0 : 255;
  using attacks::Norm;
  for (const double eps : {0.0, 0.05, 0.4}) {
    const std::string bound = "eps=" + std::to_string(eps);
    check_promises(model, split, "deepfool:" + bound, Norm::l2, eps);
    check_promises(model, split, "deepfool:norm=linf," + bound, Norm::linf, eps);
    check_promises(model, split, "cw:steps=50,search=4,c=0.1," + bound, Norm::l2, eps);
  }
  for (const int eps : {0, 2, 7})
    check_promises(model, split, "jsma:gamma=1,eps=" + std::to_string(eps), Norm::l0, eps);
  check_promises(model, split, "deepfool", Norm::l2, 1e9);
  check_promises(model, split, "deepfool:norm=linf,overshoot=3", Norm::linf, 1);
  check_promises(model, split, "cw:steps=50,search=4,c=100,lr=1", Norm::l2, 1e9);
  check_promises(model, split, "jsma:gamma=1", Norm::l0, 1e9);
}

TEST_CASE("attacks for the nearest image: images farther than eps are clean, and the others as without it") {
  Interior problem(3);
  const attacks::Evaluation far = attacked(problem.model, problem.split, "deepfool");
  std::vector<double> distances;
  for (std::int64_t i = 0; i < kImages; ++i) distances.push_back(l2_of(difference(far, problem.split, i)));
  const double eps = median(distances) + 1e-4;
  const attacks::Evaluation near =
      attacked(problem.model, problem.split, "deepfool:eps=" + std::to_string(eps));
  std::int64_t released = 0;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const bool kept = distances[static_cast<std::size_t>(i)] <= eps;
    CHECK(attacked_image(near, i) == (kept ? attacked_image(far, i) : image_of(problem.split, i)));
    released += kept ? 0 : 1;
  }
  CHECK(released > 0);
}

TEST_CASE("attacks for the nearest image leave a network without gradients alone") {
  Interior problem(3);
  set_weight(problem.model.network(), "fc.weight",
             std::vector<float>(find_weight(problem.model.network(), "fc.weight").size(), 0.0f));
  for (const char* const spec : {"deepfool", "deepfool:norm=linf", "cw:steps=20,search=3,c=1e9", "jsma"}) {
    CAPTURE(spec);
    const attacks::Evaluation e = attacked(problem.model, problem.split, spec);
    for (std::int64_t i = 0; i < kImages; ++i) CHECK(l2_of(difference(e, problem.split, i)) == 0);
    CHECK(total(e.all_gradients) > 0);
    CHECK(total(e.zero_gradients) == total(e.all_gradients));
  }
}

TEST_CASE("registry: attacks for the nearest image by name") {
  CHECK(canonical("deepfool") == "deepfool:norm=l2,eps=inf,steps=50,overshoot=0.02,classes=10");
  CHECK(canonical("deepfool:norm=linf,eps=8/255,steps=9,overshoot=0.5,classes=3") ==
        "deepfool:norm=linf,eps=8/255,steps=9,overshoot=0.5,classes=3");
  CHECK(canonical("cw") == "cw:eps=inf,steps=1000,search=9,c=0.001,confidence=0,lr=0.01,abort_early=1");
  CHECK(canonical("cw:eps=2,steps=5,search=2,c=1,confidence=3,lr=0.1,abort_early=0,target=next") ==
        "cw:eps=2,steps=5,search=2,c=1,confidence=3,lr=0.1,abort_early=0,target=next");
  CHECK(canonical("jsma") == "jsma:eps=inf,theta=1,gamma=0.145,target=likely1,pairs=1");
  CHECK(canonical("jsma:eps=20,theta=-0.5,gamma=0.25,target=3,pairs=0") ==
        "jsma:eps=20,theta=-0.5,gamma=0.25,target=3,pairs=0");
  for (const char* const text : {"deepfool", "cw", "jsma", "deepfool:eps=inf", "cw:target=likely2",
                                 "jsma:target=random", "deepfool:norm=linf,eps=0.031"})
    CHECK(canonical(canonical(text)) == canonical(text));
  const std::vector<attacks::NamedAttack> list =
      attacks::parse_attacks("cw:eps=1;2,steps=10,search=3,seed=4");
  REQUIRE(list.size() == 2);
  CHECK(list[1].eps == 2);
  CHECK(list[1].norm == attacks::Norm::l2);
  CHECK(list[1].steps == 30);
  CHECK(list[1].seed == std::uint64_t{4});
  CHECK(std::isinf(attacks::parse_attacks("deepfool")[0].eps));
  CHECK(attacks::parse_attacks("jsma")[0].norm == attacks::Norm::l0);
  const std::string all = attacks::list_attacks();
  for (const char* const name : {"deepfool:", "cw:", "jsma:"}) CHECK(all.find(name) != std::string::npos);
}

TEST_CASE("registry: what attacks for the nearest image cannot read is refused in words that help") {
  refuse("deepfool:target=1",
         "unknown key 'target', expected one of: norm, eps, steps, overshoot, classes, seed");
  refuse("deepfool:norm=l1", "'deepfool:norm=l1': norm=l1, expected l2 or linf");
  refuse("deepfool:eps=-1", "deepfool: eps is -1, expected 0 or more, or inf");
  refuse("deepfool:eps=far", "'deepfool:eps=far': eps: 'far', expected a number");
  refuse("deepfool:steps=0", "deepfool: steps is 0, expected at least 1");
  refuse("deepfool:overshoot=0", "deepfool: overshoot is 0, expected a positive number");
  refuse("deepfool:classes=1", "deepfool: classes is 1, expected at least 2");
  refuse("cw:norm=l2",
         "unknown key 'norm', expected one of: eps, steps, search, c, confidence, lr, abort_early");
  refuse("cw:eps=-1", "cw: eps is -1, expected 0 or more, or inf");
  refuse("cw:steps=0", "cw: steps is 0, expected at least 1");
  refuse("cw:search=0", "cw: search is 0, expected at least 1");
  refuse("cw:c=0", "cw: c is 0, expected a positive number");
  refuse("cw:confidence=-1", "cw: confidence is -1, expected 0 or more");
  refuse("cw:abort_early=2", "'cw:abort_early=2': abort_early=2, expected a whole number from 0 to 1");
  refuse("cw:lr=0", "cw: lr is 0, expected a positive number");
  refuse("cw:target=none", "target=none, expected a class number");
  refuse("jsma:norm=l0", "unknown key 'norm', expected one of: eps, theta, gamma, target, pairs, seed");
  refuse("jsma:eps=-1", "jsma: eps is -1, expected 0 or more values, or inf");
  refuse("jsma:theta=0", "jsma: theta is 0, expected 0.001 to 1, or -1 to -0.001");
  refuse("jsma:theta=2", "jsma: theta is 2, expected 0.001 to 1");
  refuse("jsma:gamma=0", "jsma: gamma is 0, expected a share above 0 and at most 1");
  refuse("jsma:gamma=1.5", "jsma: gamma is 1.5, expected a share");
  refuse("jsma:pairs=2", "'jsma:pairs=2': pairs=2, expected 0 or 1");
  refuse("pgd:eps=inf", "pgd: eps is inf, expected 0 or more");
  check_throws(ErrorKind::usage, "jsma: target is none, expected one",
               [] { attacks::Jsma(attacks::JsmaSpec{.target = {}}); });
}

}  // namespace inocula::test
