// Noise of a given similarity: its texts, and that stronger likeness is weaker noise.
#include "attacks/noise.h"

#include <cmath>
#include <limits>

#include "attacks/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/harness.h"

namespace inocula::test {

TEST_CASE("noise of a similarity: specs say what they are, and refuse two sizes or none") {
  const auto list = attacks::parse_attacks("noise:norm=l2,ssim=0.9,restarts=2");
  REQUIRE(list.size() == 1);
  CHECK(list[0].spec() == "noise:norm=l2,ssim=0.9,restarts=2");
  CHECK(std::isinf(list[0].eps));
  CHECK(attacks::parse_attacks(list[0].spec())[0].spec() == list[0].spec());
  const auto refused = [](const std::string& part, const std::string& text) {
    check_throws(ErrorKind::usage, part, [&] { attacks::parse_attacks(text); });
  };
  refused("eps and ssim both", "noise:eps=0.1,ssim=0.9");
  for (const char* ssim : {"0", "1", "1.5", "-0.1"})
    refused("a similarity above 0 and below 1", std::string("noise:ssim=") + ssim);
}

TEST_CASE("noise of a similarity: the same directions as noise of a radius, less where likeness is more") {
  const Shape image{1, 1, 16, 15};
  LinearModel model(image, 2, 3);
  constexpr std::int64_t kImages = 12;
  const ImageSplit split = split_between(kImages, image, 2, 100, 150, 4);
  for (const attacks::Norm norm : {attacks::Norm::linf, attacks::Norm::l2}) {
    const attacks::Evaluation radius =
        evaluate(model.network(), split, attacks::RandomNoise({.norm = norm, .eps = 0.1}));
    double before = 0;
    for (const double ssim : {0.95, 0.7}) {
      const attacks::Evaluation e = evaluate(
          model.network(), split,
          attacks::RandomNoise({.norm = norm, .eps = std::numeric_limits<double>::infinity(), .ssim = ssim}));
      double norms = 0;
      for (std::int64_t i = 0; i < kImages; ++i) {
        const std::vector<double> x = image_of(split, i), a = attacked_image(e, i),
                                  b = attacked_image(radius, i);
        norms += e.norms[static_cast<std::size_t>(i)].l2;
        double products = 0, squares_a = 0, squares_b = 0;
        for (std::size_t p = 0; p < x.size(); ++p) {
          products += (a[p] - x[p]) * (b[p] - x[p]);
          squares_a += (a[p] - x[p]) * (a[p] - x[p]);
          squares_b += (b[p] - x[p]) * (b[p] - x[p]);
        }
        CHECK(products / std::sqrt(squares_a * squares_b) > 0.9999);
      }
      CHECK(norms > before);
      before = norms;
    }
  }
}

}  // namespace inocula::test
