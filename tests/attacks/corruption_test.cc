// Corruptions by name: every refusal in its words; their images, whatever the batch.
#include "attacks/corruption.h"

#include <algorithm>

#include "attacks/evaluate.h"
#include "models/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

const Shape kImage{1, 3, 9, 9};

attacks::Evaluation corrupted(const std::string& spec, std::int64_t batch, std::uint64_t seed = 4) {
  Network network(small_resnet(kImage, 4, 3), cpu());
  randomize(network, 1);
  const ImageSplit split = random_split(11, kImage, 3, 2);
  const std::vector<attacks::NamedCorruption> list = attacks::parse_corruptions(spec);
  REQUIRE(list.size() == 1);
  attacks::Evaluator evaluator(network, split, *list[0].perturbation,
                               {.batch = batch, .seed = seed, .keep_images = attacks::KeepImages::yes});
  return evaluator.run();
}

void refuse(const std::string& text, const std::string& part) {
  CAPTURE(text);
  check_throws(ErrorKind::usage, part, [&] { attacks::parse_corruptions(text); });
}

}  // namespace

TEST_CASE(
    "corruption: a list of levels makes one corruption for each, and specs are read back as themselves") {
  const auto list = attacks::parse_corruptions("gaussian_noise:level=0.1;0.5;1,seed=3");
  REQUIRE(list.size() == 3);
  CHECK(list[1].name == "gaussian_noise");
  CHECK(list[1].level == 0.5);
  CHECK(list[1].spec() == "gaussian_noise:level=0.5,seed=3");
  for (const char* spec : {"gaussian_noise:level=0.1", "speckle_noise:level=0.3", "impulse_noise:level=1",
                           "shot_noise:level=60"})
    CHECK(attacks::parse_corruptions(spec)[0].spec() == spec);
}

TEST_CASE("corruption: what cannot be read is refused in words that help") {
  refuse("fog:level=1",
         "'fog:level=1': unknown corruption 'fog', expected one of: gaussian_noise, speckle_noise, "
         "impulse_noise, shot_noise");
  refuse("gaussian_noise", "'gaussian_noise': no level, expected a variance of 0 or more");
  refuse("gaussian_noise:variance=1", "unknown key 'variance', expected one of: level, seed");
  refuse("gaussian_noise:level=-0.1", "gaussian_noise: level is -0.1, expected a variance of 0 or more");
  refuse("impulse_noise:level=1.5", "impulse_noise: level is 1.5, expected a share of values from 0 to 1");
  refuse("shot_noise:level=0", "shot_noise: level is 0, expected a number of photons above 0");
  refuse("shot_noise:level=1e6", "at most 65536");
  refuse("speckle_noise:level=0.1,seed=-1", "seed=-1");
  const std::string list = attacks::list_corruptions();
  for (const char* word :
       {"gaussian_noise:", "speckle_noise:", "impulse_noise:", "shot_noise:", "level", "seed="})
    CHECK(list.find(word) != std::string::npos);
}

TEST_CASE("corruption: images are noisy and in range, the same at any batch size, others with another seed") {
  for (const char* spec : {"gaussian_noise:level=0.1", "speckle_noise:level=0.3", "impulse_noise:level=0.2",
                           "shot_noise:level=60"}) {
    CAPTURE(spec);
    const attacks::Evaluation all = corrupted(spec, 64), few = corrupted(spec, 3),
                              other = corrupted(spec, 64, 5);
    CHECK(same_bits(all.images, few.images));
    CHECK(same_bits(all.logits, few.logits));
    CHECK(!same_bits(all.images, other.images));
    CHECK(std::all_of(all.images.begin(), all.images.end(), [](float v) { return v >= 0 && v <= 1; }));
    CHECK(std::all_of(all.norms.begin(), all.norms.end(),
                      [](const PerturbationNorm& n) { return n.linf > 0; }));
    CHECK(total(all.all_gradients) == 0);
  }
}

}  // namespace inocula::test
