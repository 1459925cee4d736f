// AugMix by its spec: read back as itself, refused in words that help; its images, whatever the batch.
#include "attacks/augmix.h"

#include <algorithm>
#include <limits>

#include "attacks/evaluate.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

attacks::Evaluation evaluated(const std::string& spec, const Shape& image, std::int64_t batch,
                              std::uint64_t seed = 4, const Device& device = cpu()) {
  Network network(small_resnet(image, 4, 3), device);
  randomize(network, 1);
  const ImageSplit split = random_split(11, image, 3, 2);
  const attacks::AugMixView view(attacks::parse_augmix(spec));
  attacks::Evaluator evaluator(network, split, view,
                               {.batch = batch, .seed = seed, .keep_images = attacks::KeepImages::yes});
  return evaluator.run();
}

void refuse(const std::string& text, const std::string& part) {
  CAPTURE(text);
  check_throws(ErrorKind::usage, part, [&] { attacks::AugMixView{attacks::parse_augmix(text)}; });
}

}  // namespace

TEST_CASE("augmix: specs are read back as themselves, and what they leave out is the authors'") {
  CHECK(attacks::AugMixView(attacks::AugMixSpec{}).spec() ==
        "augmix:severity=3,chains=3,depth=-1,alpha=1,ops=standard,view=0");
  CHECK(attacks::AugMixView(attacks::parse_augmix("augmix")).spec() ==
        attacks::AugMixView(attacks::AugMixSpec{}).spec());
  for (const char* spec : {"augmix:severity=0.5,chains=1,depth=16,alpha=0.3,ops=all,view=1",
                           "augmix:severity=10,chains=8,depth=2,alpha=1000,ops=flips,view=16777215"})
    CHECK(attacks::AugMixView(attacks::parse_augmix(spec)).spec() == spec);
}

TEST_CASE("augmix: what is out of range is refused in words that help") {
  refuse("mixup", "'mixup': expected augmix");
  refuse("augmix:width=3", "unknown key 'width', expected one of: severity, chains, depth, alpha, ops, view");
  refuse("augmix:severity=0", "augmix: severity is 0, expected 0.1 to 10");
  refuse("augmix:severity=10.5", "expected 0.1 to 10");
  refuse("augmix:chains=0", "augmix: chains is 0, expected 1 to 8");
  refuse("augmix:chains=9", "expected 1 to 8");
  refuse("augmix:depth=0", "augmix: depth is 0, expected 1 to 16, or -1 for 1, 2 or 3 alike");
  refuse("augmix:depth=17", "expected 1 to 16");
  refuse("augmix:depth=-2", "expected 1 to 16");
  refuse("augmix:alpha=0", "augmix: alpha is 0, expected 0.001 to 1000");
  refuse("augmix:alpha=1001", "expected 0.001 to 1000");
  refuse("augmix:ops=none", "'augmix:ops=none': ops=none, expected standard, all or flips");
  refuse("augmix:view=-1", "augmix: view is -1, expected 0 to 16777215");
  refuse("augmix:view=16777216", "expected 0 to 16777215");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  check_throws(ErrorKind::usage, "severity is nan", [&] { attacks::AugMixView{{.severity = nan}}; });
  check_throws(ErrorKind::usage, "alpha is nan", [&] { attacks::AugMixView{{.alpha = nan}}; });
  check_throws(ErrorKind::usage, "augmix: images have 2 channels, expected 1 or 3", [] {
    evaluated("augmix:ops=all", {1, 2, 9, 9}, 4);
  });
}

TEST_CASE("augmix: images are in range and other than they were, the same at any batch size") {
  for (const char* spec : {"augmix", "augmix:ops=all,depth=4,severity=9,alpha=0.5", "augmix:ops=flips"}) {
    for (const Shape& image : {Shape{1, 3, 9, 9}, Shape{1, 1, 12, 10}}) {
      CAPTURE(spec);
      const attacks::Evaluation all = evaluated(spec, image, 64), few = evaluated(spec, image, 3);
      CHECK(same_bits(all.images, few.images));
      CHECK(same_bits(all.logits, few.logits));
      CHECK(same_bits(all.images, evaluated(spec, image, 64, 4, cpu_of_two_threads()).images));
      CHECK(!same_bits(all.images, evaluated(spec, image, 64, 5).images));
      CHECK(std::all_of(all.images.begin(), all.images.end(), [](float v) { return v >= 0 && v <= 1; }));
      CHECK(std::count_if(all.norms.begin(), all.norms.end(),
                          [](const PerturbationNorm& n) { return n.linf > 0; }) > all.n / 2);
      CHECK(total(all.all_gradients) == 0);
    }
  }
}

TEST_CASE("augmix: views are independent, and a weaker severity or another alpha is another mixture") {
  const Shape image{1, 1, 12, 10};
  const std::vector<float> first = evaluated("augmix", image, 4).images;
  for (const char* spec : {"augmix:view=1", "augmix:severity=1", "augmix:alpha=2", "augmix:chains=2",
                           "augmix:depth=3", "augmix:ops=all", "augmix:ops=flips"}) {
    CAPTURE(spec);
    CHECK(!same_bits(first, evaluated(spec, image, 4).images));
  }
}

TEST_CASE("augmix: channels beyond colours are mixed where no operation is on colours") {
  const attacks::Evaluation e = evaluated("augmix", {1, 2, 9, 9}, 4);
  CHECK(std::all_of(e.images.begin(), e.images.end(), [](float v) { return v >= 0 && v <= 1; }));
}

}  // namespace inocula::test
