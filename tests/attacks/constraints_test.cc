// Constraints: every attack keeps to them, and reaches under them what theory says there is to reach.
#include "attacks/constraints.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "attacks/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using attacks::Channels;
using attacks::Constraints;
using attacks::Evaluation;

Evaluation attack(Network& network, const ImageSplit& split, const std::string& spec,
                  const Constraints& constraints, std::int64_t batch = 16) {
  const std::vector<attacks::NamedAttack> list = attacks::parse_attacks(spec);
  return attacks::evaluate_stages(network, split, list[0].stages(network.graph().classes()),
                                  {.batch = batch,
                                   .seed = 7,
                                   .keep_images = attacks::KeepImages::yes,
                                   .constraints = &constraints})
      .evaluation;
}

/// One of each kind that there is, with its ball.
const std::vector<std::string> kEvery = {
    "fgsm:eps=0.0625",
    "pgd:eps=0.0625,alpha=0.015625,steps=4",
    "pgd:norm=l2,eps=0.5,alpha=0.125,steps=4,restarts=2",
    "pgd:norm=l2,eps=0.5,alpha=0.125,steps=3,random_start=sphere,keep=best",
    "pgd:eps=0.0625,alpha=0.015625,steps=3,random_start=normal,loss=kl",
    "mifgsm:eps=0.0625,alpha=0.015625,steps=3",
    "apgd-ce:eps=0.0625,steps=8",
    "apgd-ce:norm=l2,eps=0.5,steps=8,restarts=2",
    "fab:norm=l2,eps=0.5,steps=5,restarts=2",
    "fab-t:norm=linf,eps=0.0625,steps=5,restarts=2",
    "fab:norm=l1,eps=4,steps=5",
    "square:eps=0.0625,queries=30",
    "square:norm=l2,eps=0.5,queries=30",
    "deepfool:norm=l2,eps=0.5,steps=8",
    "cw:eps=0.5,steps=20,search=2,c=1",
    "jsma:eps=12,theta=0.5,gamma=0.2",
    "noise:norm=l2,eps=0.5",
    "aa-k:eps=0.0625,steps=5,queries=10",
};

Constraints random_region(const ImageSplit& split, bool one) {
  Constraints c;
  const std::int64_t n = (one ? 1 : split.count) * split.height * split.width;
  const ImageSplit bytes = random_split(n, {1, 1, 1, 1}, 2, 31);
  for (const std::uint8_t b : bytes.pixels) c.region.push_back(b < 128 ? 0 : b);
  return c;
}

bool in_region(const Constraints& c, const ImageSplit& split, std::int64_t image, std::size_t pixel) {
  const auto pixels = static_cast<std::size_t>(split.height * split.width);
  const std::size_t first = c.region.size() == pixels ? 0 : static_cast<std::size_t>(image) * pixels;
  return c.region[first + pixel % pixels] != 0;
}

/// The channels of every pixel are equal.
ImageSplit stacked_split(std::int64_t count, const Shape& image, std::int64_t classes, int low, int high) {
  ImageSplit split = split_between(count, image, classes, low, high, 12);
  for (std::size_t i = 0; i < split.pixels.size(); ++i)
    split.pixels[i] = split.pixels[i - i % static_cast<std::size_t>(image.c)];
  return split;
}

/// Of two classes, as the network said.
double margin_of(const Evaluation& e, std::int64_t i) {
  const auto row = static_cast<std::size_t>(2 * i);
  const double margin = static_cast<double>(e.logits[row]) - e.logits[row + 1];
  return e.label[static_cast<std::size_t>(i)] == 0 ? margin : -margin;
}

double norm_of(const attacks::Norm norm, const PerturbationNorm& p) {
  return norm == attacks::Norm::linf ? p.linf
         : norm == attacks::Norm::l2 ? p.l2
         : norm == attacks::Norm::l1 ? p.l1
                                     : p.l0;
}

constexpr std::int64_t kImages = 24;

/// A model at whose boundary its images lie, so that every attack finds some.
struct Scene {
  explicit Scene(const ImageSplit& images)
      : image{1, images.channels, images.height, images.width}, model(image, 2, 11), split(images) {
    model.centre(split, 0);
  }

  Shape image;
  LinearModel model;
  ImageSplit split;
};

}  // namespace

TEST_CASE("constraints: outside a region every attack leaves the clean floats, and inside its ball") {
  Scene scene(split_between(kImages, {1, 2, 7, 6}, 2, 0, 255, 12));
  const ImageSplit& split = scene.split;
  for (const bool one : {true, false}) {
    const Constraints c = random_region(split, one);
    for (const std::string& spec : kEvery) {
      CAPTURE(one);
      CAPTURE(spec);
      const attacks::NamedAttack named = std::move(attacks::parse_attacks(spec)[0]);
      const Evaluation e = attack(scene.model.network(), split, spec, c);
      std::int64_t outside = 0, moved = 0;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> x = image_of(split, i), to = attacked_image(e, i);
        for (std::size_t p = 0; p < x.size(); ++p) {
          if (x[p] == to[p]) continue;
          ++moved;
          outside += in_region(c, split, i, p) ? 0 : 1;
        }
        CHECK(norm_of(named.norm, e.norms[static_cast<std::size_t>(i)]) <= named.eps * (1 + 1e-6));
      }
      CHECK(outside == 0);
      CHECK(moved > 0);
    }
  }
}

TEST_CASE("constraints: on linear models attacks reach the worst case inside a region") {
  const Shape image{1, 2, 6, 5};
  LinearModel model(image, 2, 11);
  const ImageSplit split = split_between(kImages, image, 2, 70, 180, 12);
  model.centre(split, 0);
  const Constraints c = random_region(split, false);
  const auto inside_of = [&](std::int64_t i) {
    std::vector<double> g = model.margin_gradient(split.labels[static_cast<std::size_t>(i)]);
    for (std::size_t p = 0; p < g.size(); ++p)
      if (!in_region(c, split, i, p)) g[p] = 0;
    return g;
  };
  SUBCASE("of a ball") {
    for (const auto& [spec, tolerance] :
         std::vector<std::pair<std::string, double>>{{"fgsm:eps=0.2", 1e-5},
                                                     {"pgd:eps=0.2,alpha=0.05,steps=8", 1e-5},
                                                     {"apgd-ce:eps=0.2,steps=30", 1e-4},
                                                     {"fgsm:norm=l2,eps=0.25", 1e-4},
                                                     {"pgd:norm=l2,eps=0.25,alpha=0.5,steps=40", 2e-3},
                                                     {"apgd-ce:norm=l2,eps=0.25,steps=60", 2e-3}}) {
      CAPTURE(spec);
      const attacks::NamedAttack named = std::move(attacks::parse_attacks(spec)[0]);
      const Evaluation e = attack(model.network(), split, spec, c);
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> x = image_of(split, i), g = inside_of(i);
        double at_x = 0;
        for (std::size_t p = 0; p < x.size(); ++p) at_x += g[p] * x[p];
        const double change =
            (named.norm == attacks::Norm::linf ? least_linf : least_l2)(g, x, named.eps) - at_x;
        const double clean = model.margin(x, split.labels[static_cast<std::size_t>(i)]);
        const double reached = margin_of(e, i) - clean;
        // Auto-PGD stops at the first image of another answer.
        if (spec.starts_with("apgd") && (clean <= 0 || clean + change < 0)) continue;
        CHECK(reached == doctest::Approx(change).epsilon(tolerance));
      }
    }
  }
  SUBCASE("the nearest image") {
    for (const auto& [spec, tolerance] :
         std::vector<std::pair<std::string, double>>{{"fab:norm=l2,eps=inf,steps=60", 1e-2},
                                                     {"fab:norm=linf,eps=inf,steps=60", 1e-2},
                                                     {"deepfool:norm=l2,overshoot=0.001", 2e-3},
                                                     {"deepfool:norm=linf,overshoot=0.001", 2e-3},
                                                     {"cw:steps=500,search=8,c=0.1", 4e-2}}) {
      CAPTURE(spec);
      const attacks::NamedAttack named = std::move(attacks::parse_attacks(spec)[0]);
      const Evaluation e = attack(model.network(), split, spec, c);
      int compared = 0;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> x = image_of(split, i), g = inside_of(i);
        const double margin = model.margin(x, split.labels[static_cast<std::size_t>(i)]);
        if (margin <= 0) continue;
        double l1 = 0, squares = 0;
        for (const double v : g) l1 += std::abs(v), squares += v * v;
        const double least = named.norm == attacks::Norm::linf ? margin / l1 : margin / std::sqrt(squares);
        if (least > 0.25) continue;  // the box cuts
        ++compared;
        const double found = norm_of(named.norm, e.norms[static_cast<std::size_t>(i)]);
        CHECK(margin_of(e, i) <= 0);
        CHECK(found >= least * (1 - 1e-4));
        CHECK(found <= least * (1 + tolerance));
      }
      CHECK(compared >= 3);
    }
  }
}

TEST_CASE("constraints: each image is attacked as with the radius that its factor makes") {
  const Shape image{1, 2, 7, 6};
  Network network(small_resnet(image, 4, 3), cpu());
  randomize(network, 5);
  const ImageSplit split = random_split(kImages, image, 3, 6);
  // Powers of two, so that no product rounds.
  const std::vector<std::pair<double, std::vector<std::string>>> by_factor = {
      {0.5,
       {"fgsm:eps=0.03125", "pgd:eps=0.03125,alpha=0.0078125,steps=4",
        "pgd:norm=l2,eps=0.25,alpha=0.0625,steps=4,restarts=2", "apgd-ce:eps=0.03125,steps=8",
        "apgd-ce:norm=l2,eps=0.25,steps=8,restarts=2", "fab:norm=l2,eps=0.25,steps=5,restarts=2",
        "square:eps=0.03125,queries=30", "square:norm=l2,eps=0.25,queries=30",
        "deepfool:norm=l2,eps=0.25,steps=8", "cw:eps=0.25,steps=20,search=2,c=1", "noise:norm=l2,eps=0.25"}},
      {2,
       {"fgsm:eps=0.125", "pgd:eps=0.125,alpha=0.03125,steps=4",
        "pgd:norm=l2,eps=1,alpha=0.25,steps=4,restarts=2", "apgd-ce:eps=0.125,steps=8",
        "apgd-ce:norm=l2,eps=1,steps=8,restarts=2", "fab:norm=l2,eps=1,steps=5,restarts=2",
        "square:eps=0.125,queries=30", "square:norm=l2,eps=1,queries=30", "deepfool:norm=l2,eps=1,steps=8",
        "cw:eps=1,steps=20,search=2,c=1", "noise:norm=l2,eps=1"}}};
  const std::vector<std::string> of_one = {"fgsm:eps=0.0625",
                                           "pgd:eps=0.0625,alpha=0.015625,steps=4",
                                           "pgd:norm=l2,eps=0.5,alpha=0.125,steps=4,restarts=2",
                                           "apgd-ce:eps=0.0625,steps=8",
                                           "apgd-ce:norm=l2,eps=0.5,steps=8,restarts=2",
                                           "fab:norm=l2,eps=0.5,steps=5,restarts=2",
                                           "square:eps=0.0625,queries=30",
                                           "square:norm=l2,eps=0.5,queries=30",
                                           "deepfool:norm=l2,eps=0.5,steps=8",
                                           "cw:eps=0.5,steps=20,search=2,c=1",
                                           "noise:norm=l2,eps=0.5"};
  Constraints c;
  const float kFactors[] = {0.5f, 2.0f, 1.0f, 0.0f};
  for (std::int64_t i = 0; i < kImages; ++i) c.eps_scale.push_back(kFactors[i % 4]);
  for (std::size_t k = 0; k < of_one.size(); ++k) {
    CAPTURE(of_one[k]);
    const Evaluation e = attack(network, split, of_one[k], c);
    CHECK(e.eps_scale == c.eps_scale);
    const Evaluation parts[] = {attack(network, split, by_factor[0].second[k], {}),
                                attack(network, split, by_factor[1].second[k], {}),
                                attack(network, split, of_one[k], {})};
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::vector<double> x = attacked_image(e, i);
      CHECK(x == (i % 4 == 3 ? image_of(split, i) : attacked_image(parts[i % 4], i)));
    }
  }
}

TEST_CASE("constraints: the same difference in all channels, in the stacked image's ball") {
  Scene scene(stacked_split(kImages, {1, 3, 7, 6}, 2, 0, 255));
  const ImageSplit& split = scene.split;
  const Constraints c{.channels = Channels::same};
  for (const std::string& spec : kEvery) {
    CAPTURE(spec);
    const attacks::NamedAttack named = std::move(attacks::parse_attacks(spec)[0]);
    const Evaluation e = attack(scene.model.network(), split, spec, c);
    std::int64_t unequal = 0, moved = 0;
    const auto pixels = static_cast<std::size_t>(scene.image.pixels());
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::vector<double> x = image_of(split, i), to = attacked_image(e, i);
      for (std::size_t p = 0; p < x.size(); ++p) {
        unequal += to[p] != to[p % pixels] ? 1 : 0;
        moved += to[p] != x[p] ? 1 : 0;
      }
      CHECK(norm_of(named.norm, e.norms[static_cast<std::size_t>(i)]) <= named.eps);
    }
    CHECK(unequal == 0);
    CHECK(moved > 0);
  }
}

TEST_CASE("constraints: on linear models stacked images reach the worst case of one difference") {
  const Shape image{1, 3, 5, 4};
  LinearModel model(image, 2, 11);
  const ImageSplit split = stacked_split(kImages, image, 2, 70, 180);
  model.centre(split, 0);
  const auto pixels = static_cast<std::size_t>(image.pixels());
  for (const std::string spec :
       {"pgd:eps=0.2,alpha=0.05,steps=8", "pgd:norm=l2,eps=0.25,alpha=0.5,steps=40"}) {
    CAPTURE(spec);
    const attacks::NamedAttack named = std::move(attacks::parse_attacks(spec)[0]);
    const Evaluation e = attack(model.network(), split, spec, {.channels = Channels::same});
    const double eps = named.norm == attacks::Norm::linf ? named.eps : named.eps / std::sqrt(3.0);
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::int32_t label = split.labels[static_cast<std::size_t>(i)];
      const std::vector<double> x = image_of(split, i), g = model.margin_gradient(label);
      std::vector<double> grey(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(pixels)), sum(pixels);
      double at_x = 0;
      for (std::size_t p = 0; p < g.size(); ++p) sum[p % pixels] += g[p];
      for (std::size_t p = 0; p < pixels; ++p) at_x += sum[p] * grey[p];
      const double change =
          (named.norm == attacks::Norm::linf ? least_linf : least_l2)(sum, grey, eps) - at_x;
      CHECK(margin_of(e, i) - model.margin(x, label) == doctest::Approx(change).epsilon(2e-3));
    }
  }
}

TEST_CASE("constraints: of so many bits every pixel is a level, judged as it is stored") {
  Scene scene(split_between(kImages, {1, 2, 7, 6}, 2, 0, 255, 12));
  const ImageSplit& split = scene.split;
  for (const int bits : {8, 16})
    for (std::string spec : kEvery) {
      // Half a level more than whole ones.
      if (const std::size_t at = spec.find("eps=0.0625"); at != std::string::npos)
        spec.replace(at, 10, "eps=15.5/255");
      CAPTURE(bits);
      CAPTURE(spec);
      const attacks::NamedAttack named = std::move(attacks::parse_attacks(spec)[0]);
      const Evaluation e = attack(scene.model.network(), split, spec, {.bits = bits});
      const double levels = bits == 8 ? 255 : 65535;
      std::int64_t off = 0, moved = 0;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> x = image_of(split, i), to = attacked_image(e, i);
        for (std::size_t p = 0; p < x.size(); ++p) {
          const double level = std::round(to[p] * levels);
          off += to[p] != x[p] && static_cast<float>(to[p]) != static_cast<float>(level / levels) ? 1 : 0;
          moved += to[p] != x[p] ? 1 : 0;
        }
        CHECK(norm_of(named.norm, e.norms[static_cast<std::size_t>(i)]) <= named.eps * (1 + 1e-5));
      }
      CHECK(off == 0);
      CHECK(moved > 0);
      if (bits != 8) continue;
      // Images of such bytes are answered alike.
      ImageSplit stored = split;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> to = attacked_image(e, i);
        for (std::size_t p = 0; p < to.size(); ++p) {
          const auto pixels = static_cast<std::size_t>(scene.image.pixels());
          stored.pixels[static_cast<std::size_t>(i * split.image_bytes()) +
                        p % pixels * static_cast<std::size_t>(scene.image.c) + p / pixels] =
              static_cast<std::uint8_t>(std::lround(to[p] * 255));
        }
      }
      const Evaluation again = attack(scene.model.network(), stored, "noise:eps=0", {});
      CHECK(same_bits(again.clean_logits, e.logits));
    }
}

TEST_CASE("constraints: results do not depend on the batch size") {
  const Shape image{1, 3, 7, 6};
  Network network(small_resnet(image, 4, 3), cpu());
  randomize(network, 5);
  constexpr std::int64_t kMany = 71;
  const ImageSplit split = stacked_split(kMany, image, 3, 0, 255);
  Constraints scaled, all = random_region(split, false);
  for (std::int64_t i = 0; i < kMany; ++i) scaled.eps_scale.push_back(0.1f * static_cast<float>(i % 17));
  all.eps_scale = scaled.eps_scale;
  all.channels = Channels::same;
  all.bits = 8;
  for (const Constraints& c : {random_region(split, false), scaled, Constraints{.channels = Channels::same},
                               Constraints{.bits = 8}, all})
    for (const char* spec :
         {"pgd:norm=l2,eps=0.5,alpha=0.125,steps=3", "apgd-ce:eps=0.0625,steps=5",
          "square:norm=l2,eps=0.5,queries=10", "noise:eps=0.0625", "noise:norm=l2,ssim=0.9"}) {
      CAPTURE(spec);
      const Evaluation one = attack(network, split, spec, c, 1);
      for (const std::int64_t batch : {7, 64}) {
        const Evaluation other = attack(network, split, spec, c, batch);
        CHECK(same_bits(one.images, other.images));
        CHECK(same_bits(one.logits, other.logits));
      }
    }
}

TEST_CASE("constraints: what does not fit the split is refused") {
  const Shape image{1, 2, 4, 4};
  LinearModel model(image, 2, 3);
  const ImageSplit split = random_split(5, image, 2, 6);
  const auto refused = [&](ErrorKind kind, const std::string& part, const Constraints& c) {
    check_throws(kind, part, [&] { attack(model.network(), split, "fgsm", c); });
  };
  refused(ErrorKind::usage, "bits is 7, expected 8 or 16", {.bits = 7});
  refused(ErrorKind::bad_data, "region: has 17 pixels, expected 16 for all images or 80 for the split's 5",
          {.region = std::vector<std::uint8_t>(17)});
  refused(ErrorKind::bad_data, "eps_scale: has 4 factors, expected one for each of 5 images",
          {.eps_scale = std::vector<float>(4)});
  refused(ErrorKind::bad_data, "eps_scale: factor of image 2 is -1, expected a number of 0 or more",
          {.eps_scale = {1, 1, -1, 1, 1}});
  refused(ErrorKind::bad_data, "the channels of image 0 differ", {.channels = Channels::same});
}

}  // namespace inocula::test
