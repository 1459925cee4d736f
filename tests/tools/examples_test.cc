// Which images a report shows, and what it says of them.
#include "tools/examples.h"

#include <doctest/doctest.h>

#include <vector>

using namespace inocula;

namespace {

ImageSplit split_of(std::vector<std::int32_t> labels) {
  ImageSplit s{"test", static_cast<std::int64_t>(labels.size()), 2, 2, 1, {}, std::move(labels)};
  for (std::int64_t i = 0; i < s.count * s.image_bytes(); ++i)
    s.pixels.push_back(static_cast<std::uint8_t>(i));
  return s;
}

}  // namespace

TEST_CASE("examples: the classes in turn, first images first, rising") {
  const ImageSplit s = split_of({2, 2, 2, 0, 0, 1, 2, 0});
  using Index = std::vector<std::int64_t>;
  CHECK(Examples(s, 0, 3).index() == Index{0, 3, 5});
  CHECK(Examples(s, 0, 5).index() == Index{0, 1, 3, 4, 5});
  CHECK(Examples(s, 0, 99).index() == Index{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(Examples(s, 4, 3).index() == Index{0, 1, 3});
  CHECK(Examples(s, 0, 0).index().empty());
}

TEST_CASE("examples: a change is drawn around grey, times its scale") {
  const ImageSplit s = split_of({0, 1});
  Examples examples(s, 0, 2);
  attacks::Evaluation e;
  e.n = 2;
  e.classes = 2;
  e.label = s.labels;
  e.clean_logits = {1, 0, 0, 3};
  e.logits = {0, 2, 0, 1};
  for (const std::uint8_t p : s.pixels) e.images.push_back(static_cast<float>(p) / 255.0f);
  e.images[1] += 0.1f;
  e.images[2] -= 0.25f / 2;
  examples.add_clean(e, 1);
  examples.add(4, e, 2);
  const auto& list = examples.json();
  REQUIRE(list.size() == 2);
  CHECK(list[0].at("predicted") == 0);
  CHECK(list[0].at("confidence").get<double>() == doctest::Approx(1 / (1 + std::exp(-1.0))));
  const auto& made = list[0].at("rows").at(0);
  CHECK(made.at("row") == 4);
  CHECK(made.at("predicted") == 1);
  CHECK(made.at("confidence").get<double>() == doctest::Approx(1 / (1 + std::exp(-1.0))));  // logits over 2
  CHECK(made.at("scale").get<double>() == doctest::Approx(4));
  // Nothing has changed in the other image.
  CHECK(list[1].at("rows").at(0).at("scale") == 1);
  CHECK(list[1].at("rows").at(0).at("image") == list[1].at("image"));
}
