// Batches from bytes: scaling, flips, shifts, padding rows; a function of seed, batch and image alone.
#include <algorithm>
#include <set>

#include "kernels/draw.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Data {
  std::int64_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> images;
  std::vector<std::int32_t> labels;
};

Data make_data(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels) {
  Data d{count, height, width, channels, {}, {}};
  for (std::int64_t i = 0; i < count * height * width * channels; ++i)
    d.images.push_back(static_cast<std::uint8_t>((i * 37 + i / 251) % 256));
  for (std::int64_t i = 0; i < count; ++i) d.labels.push_back(static_cast<std::int32_t>(i % 7));
  return d;
}

struct Augmentation {
  std::int32_t flip = 0, shift = 0;
  StepState state = {.seed = 21, .batch = 4};
};

/// x, labels.
Outputs gather(const Run& run, const Data& d, const std::vector<std::int32_t>& index, const Augmentation& a) {
  Guarded<float> x(index.size() * static_cast<std::size_t>(d.channels * d.height * d.width), kNan);
  Guarded<std::int32_t> label(index.size(), -9);
  run.kernels.gather(run.queue, {.images = d.images.data(),
                                 .all_labels = d.labels.data(),
                                 .index = index.data(),
                                 .state = &a.state,
                                 .x = x.data(),
                                 .label = label.data(),
                                 .rows = static_cast<std::int64_t>(index.size()),
                                 .channels = d.channels,
                                 .height = d.height,
                                 .width = d.width,
                                 .flip = a.flip,
                                 .shift = a.shift});
  return {x.values(), as_floats(label.values())};
}

/// The image by plain loops: flipped, then moved down and right.
std::vector<float> expected_image(const Data& d, std::int32_t image, bool flip, std::int64_t down,
                                  std::int64_t right) {
  std::vector<float> x;
  for (std::int64_t c = 0; c < d.channels; ++c)
    for (std::int64_t row = 0; row < d.height; ++row)
      for (std::int64_t column = 0; column < d.width; ++column) {
        const std::int64_t v = row - down;
        std::int64_t u = column - right;
        if (v < 0 || v >= d.height || u < 0 || u >= d.width) {
          x.push_back(0);
          continue;
        }
        if (flip) u = d.width - 1 - u;
        x.push_back(
            static_cast<float>(
                d.images[static_cast<std::size_t>(((image * d.height + v) * d.width + u) * d.channels + c)]) /
            255.0f);
      }
  return x;
}

TEST_CASE("gather scales bytes by true division and puts channels first") {
  for (const std::int64_t channels : {1, 3}) {
    const Data d = make_data(4, 9, 31, channels);
    const std::vector<std::int32_t> index = {3, 0, -1, 2, 2};
    const Outputs out = same_everywhere([&](const Run& run) { return gather(run, d, index, {}); });
    std::vector<float> expected;
    for (const std::int32_t i : index) {
      const std::vector<float> image =
          i < 0 ? std::vector<float>(static_cast<std::size_t>(9 * 31 * channels), 0.0f)
                : expected_image(d, i, false, 0, 0);
      expected.insert(expected.end(), image.begin(), image.end());
    }
    CHECK(out[0] == expected);
    CHECK(out[1] == std::vector<float>{3, 0, 0, 2, 2});
  }
}

TEST_CASE("gather flips and shifts as the draws say, and meets every case") {
  for (const std::int64_t channels : {1, 3}) {
    const Data d = make_data(600, 5, 7, channels);
    std::vector<std::int32_t> index;
    for (std::int32_t i = 0; i < 600; ++i) index.push_back(i);
    for (const Augmentation& a : {Augmentation{.flip = 1}, Augmentation{.shift = 2},
                                  Augmentation{.flip = 1, .shift = 2}, Augmentation{.flip = 1, .shift = 9}}) {
      CAPTURE(a.flip);
      CAPTURE(a.shift);
      const Outputs out = same_everywhere([&](const Run& run) { return gather(run, d, index, a); });
      std::vector<float> expected;
      std::set<std::int64_t> seen;
      for (const std::int32_t i : index) {
        const Philox4 words = draw4(21, Draw::augment, 0, 4, static_cast<std::uint32_t>(i), 0);
        const bool flip = a.flip != 0 && (words.w[0] & 0x80000000u) != 0;
        const std::uint32_t choices = static_cast<std::uint32_t>(2 * a.shift + 1);
        const std::int64_t down = std::int64_t{uniform_below(words.w[1], choices)} - a.shift;
        const std::int64_t right = std::int64_t{uniform_below(words.w[2], choices)} - a.shift;
        seen.insert((flip ? 1000 : 0) + (down + a.shift) * choices + right + a.shift);
        const std::vector<float> image = expected_image(d, i, flip, down, right);
        expected.insert(expected.end(), image.begin(), image.end());
      }
      CHECK(out[0] == expected);
      const std::size_t cases =
          static_cast<std::size_t>((2 * a.shift + 1) * (2 * a.shift + 1) * (a.flip + 1));
      if (a.shift <= 2) CHECK(seen.size() == cases);
    }
  }
}

TEST_CASE("an image does not depend on the others of its batch, and does on seed and number of the batch") {
  const Data d = make_data(64, 8, 8, 1);
  const Run run = runs().back();
  const Augmentation a{.flip = 1, .shift = 2};
  std::vector<std::int32_t> all;
  for (std::int32_t i = 0; i < 64; ++i) all.push_back(63 - i);
  const Outputs together = gather(run, d, all, a);
  for (const std::size_t batch : {std::size_t{1}, std::size_t{7}}) {
    Outputs apart(2);
    for (std::size_t first = 0; first < all.size(); first += batch) {
      const std::size_t last = std::min(first + batch, all.size());
      const Outputs part = gather(
          run, d,
          {all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(last)},
          a);
      for (std::size_t k = 0; k < 2; ++k) apart[k].insert(apart[k].end(), part[k].begin(), part[k].end());
    }
    CHECK(difference_in_bits(together, apart) == "");
  }
  Augmentation other = a;
  other.state.batch += 1;
  CHECK(difference_in_bits(together, gather(run, d, all, other)) != "");
  other = a;
  other.state.seed += 1;
  CHECK(difference_in_bits(together, gather(run, d, all, other)) != "");
}

TEST_CASE("mask_padding keeps labels and marks rows without an image") {
  const std::vector<std::int32_t> label = {4, 0, 2}, index = {0, -1, 9};
  for (const Run& run : runs()) {
    Guarded<std::int32_t> masked(3, -9);
    run.kernels.mask_padding(run.queue, {label.data(), index.data(), masked.data(), 3});
    CHECK(masked.values() == std::vector<std::int32_t>{4, -1, 2});
  }
  const std::vector<std::int32_t> of_two = {1, 0, /**/ 0, 0, /**/ 0, 1};
  for (const Run& run : runs()) {
    Guarded<std::int32_t> masked(6, -9);
    run.kernels.mask_padding(run.queue, {of_two.data(), index.data(), masked.data(), 3, 2});
    CHECK(masked.values() == std::vector<std::int32_t>{1, 0, -1, -1, 0, 1});
  }
}

TEST_CASE("gather takes all labels of an image, and none of a row without one") {
  Data d = make_data(4, 5, 6, 1);
  d.labels = {1, 0, 0, /**/ 0, 1, 1, /**/ 1, 1, 1, /**/ 0, 0, 1};
  const std::vector<std::int32_t> index = {2, -1, 3, 1, 2};
  const StepState state;
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> x(index.size() * 30, kNan);
    Guarded<std::int32_t> label(index.size() * 3, -9);
    run.kernels.gather(run.queue, {.images = d.images.data(),
                                   .all_labels = d.labels.data(),
                                   .index = index.data(),
                                   .state = &state,
                                   .x = x.data(),
                                   .label = label.data(),
                                   .rows = static_cast<std::int64_t>(index.size()),
                                   .channels = 1,
                                   .height = 5,
                                   .width = 6,
                                   .label_columns = 3});
    return Outputs{x.values(), as_floats(label.values())};
  });
  CHECK(out[1] == std::vector<float>{1, 1, 1, /**/ 0, 0, 0, /**/ 0, 0, 1, /**/ 0, 1, 1, /**/ 1, 1, 1});
}

}  // namespace
}  // namespace inocula::test
