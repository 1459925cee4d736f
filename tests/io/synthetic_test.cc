// The synthetic sets: the same everywhere, balanced, told apart by shape; and by a shortcut in the one that
// has it.
#include "io/synthetic.h"

#include <algorithm>
#include <cmath>

#include "io/digest.h"
#include "tests/io/files.h"

namespace inocula {
namespace {

constexpr SyntheticKind kByShape[] = {SyntheticKind::chest, SyntheticKind::lesion, SyntheticKind::cells};
constexpr SyntheticKind kKinds[] = {SyntheticKind::chest, SyntheticKind::lesion, SyntheticKind::cells,
                                    SyntheticKind::shortcut};

using Features = std::vector<std::vector<double>>;

/// One row an image: the mean of each channel, then its histogram in 16 bins.
Features brightness(const ImageSplit& split, std::size_t bins) {
  const auto channels = static_cast<std::size_t>(split.channels);
  Features rows;
  for (std::int64_t i = 0; i < split.count; ++i) {
    std::vector<double> row(channels * (bins == 0 ? 1 : bins), 0);
    for (std::int64_t k = 0; k < split.image_bytes(); ++k) {
      const std::uint8_t value = split.pixels[static_cast<std::size_t>(i * split.image_bytes() + k)];
      const std::size_t channel = static_cast<std::size_t>(k) % channels;
      if (bins == 0) row[channel] += value;
      if (bins > 0) row[channel * bins + value * bins / 256] += 1;
    }
    rows.push_back(row);
  }
  return rows;
}

/// Scales every feature to mean 0 and deviation 1 over `by`.
void standardise(Features& rows, const Features& by) {
  for (std::size_t f = 0; f < by[0].size(); ++f) {
    double sum = 0, squares = 0;
    for (const auto& row : by) sum += row[f], squares += row[f] * row[f];
    const double mean = sum / static_cast<double>(by.size());
    const double deviation =
        std::sqrt(std::max(squares / static_cast<double>(by.size()) - mean * mean, 1e-12));
    for (auto& row : rows) row[f] = (row[f] - mean) / deviation;
  }
}

/// Test accuracy of multinomial logistic regression, trained by plain gradient descent.
double regression_accuracy(Features train, const std::vector<std::int32_t>& y, Features test,
                           const std::vector<std::int32_t>& y_test, std::size_t classes) {
  standardise(test, train);
  const Features raw = train;
  standardise(train, raw);
  const std::size_t features = train[0].size();
  std::vector<std::vector<double>> w(classes, std::vector<double>(features + 1, 0));
  const auto logits = [&](const std::vector<double>& row) {
    std::vector<double> z(classes);
    for (std::size_t c = 0; c < classes; ++c) {
      z[c] = w[c][features];
      for (std::size_t f = 0; f < features; ++f) z[c] += w[c][f] * row[f];
    }
    return z;
  };
  for (int step = 0; step < 100; ++step) {
    auto gradient = w;
    for (auto& row : gradient) std::fill(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i < train.size(); ++i) {
      std::vector<double> p = logits(train[i]);
      const double top = *std::max_element(p.begin(), p.end());
      double sum = 0;
      for (double& v : p) sum += v = std::exp(v - top);
      for (std::size_t c = 0; c < classes; ++c) {
        const double d = p[c] / sum - (static_cast<std::size_t>(y[i]) == c);
        for (std::size_t f = 0; f < features; ++f) gradient[c][f] += d * train[i][f];
        gradient[c][features] += d;
      }
    }
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t f = 0; f <= features; ++f)
        w[c][f] -= 0.5 / static_cast<double>(train.size()) * gradient[c][f];
    }
  }
  std::size_t correct = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const std::vector<double> z = logits(test[i]);
    correct += std::max_element(z.begin(), z.end()) - z.begin() == y_test[i];
  }
  return static_cast<double>(correct) / static_cast<double>(test.size());
}

TEST_CASE("synthetic: mean brightness and histogram tell the classes hardly better than guessing") {
  for (const SyntheticKind kind : kByShape) {
    const ImageData data = synthesize({.kind = kind, .count = 2000, .size = 28, .seed = 1});
    const double chance = 1.0 / static_cast<double>(data.classes);
    for (const std::size_t bins : {0, 16}) {
      const double accuracy =
          regression_accuracy(brightness(data.train, bins), data.train.labels, brightness(data.test, bins),
                              data.test.labels, static_cast<std::size_t>(data.classes));
      CAPTURE(static_cast<int>(kind));
      CAPTURE(bins);
      CHECK(accuracy < chance + 0.08);  // three standard errors of 400 guesses
    }
  }
}

/// One row an image: how much neighbouring rows, and neighbouring columns, alternate in each channel.
Features line_patterns(const ImageSplit& split) {
  Features rows;
  const std::int64_t h = split.height, w = split.width, channels = split.channels;
  for (std::int64_t i = 0; i < split.count; ++i) {
    std::vector<double> row(static_cast<std::size_t>(2 * channels), 0);
    for (std::int64_t c = 0; c < channels; ++c) {
      double along = 0, across = 0;
      for (std::int64_t y = 0; y < h; ++y) {
        for (std::int64_t x = 0; x < w; ++x) {
          const auto at = static_cast<std::size_t>(((i * h + y) * w + x) * channels + c);
          along += (x % 2 == 0 ? 1 : -1) * split.pixels[at];
          across += (y % 2 == 0 ? 1 : -1) * split.pixels[at];
        }
      }
      row[static_cast<std::size_t>(2 * c)] = std::abs(along);
      row[static_cast<std::size_t>(2 * c + 1)] = std::abs(across);
    }
    rows.push_back(row);
  }
  return rows;
}

TEST_CASE("synthetic: faint lines tell the classes where a shortcut is asked for, and nowhere else") {
  for (const SyntheticKind kind : kKinds) {
    const ImageData data = synthesize({.kind = kind, .count = 2000, .size = 28, .seed = 1});
    const double chance = 1.0 / static_cast<double>(data.classes);
    const double accuracy =
        regression_accuracy(line_patterns(data.train), data.train.labels, line_patterns(data.test),
                            data.test.labels, static_cast<std::size_t>(data.classes));
    CAPTURE(static_cast<int>(kind));
    if (kind == SyntheticKind::shortcut)
      CHECK(accuracy > 0.95);
    else
      CHECK(accuracy < chance + 0.2);  // where things lie shows a little in sums over rows and columns
  }
}

TEST_CASE("synthetic: the shortcut is laid over the same chests") {
  const ImageData plain = synthesize({.kind = SyntheticKind::chest, .count = 50, .size = 28, .seed = 3});
  const ImageData lined = synthesize({.kind = SyntheticKind::shortcut, .count = 50, .size = 28, .seed = 3});
  int largest = 0;
  for (std::size_t i = 0; i < plain.train.pixels.size(); ++i)
    largest = std::max(largest, std::abs(plain.train.pixels[i] - lined.train.pixels[i]));
  CHECK(largest >= 3);
  CHECK(largest <= 5);  // four grey levels and rounding
  CHECK(plain.train.labels == lined.train.labels);
}

/// Inside of the painted shape: pixels far from the image's border colour; elongation and filling tell the
/// classes.
struct Outline {
  double elongation = 0;  ///< of the second moments, 1 for a disc
  double spread = 0;      ///< second moments over area, 1 / (2 pi) for a disc
};

Outline outline_of(const ImageSplit& split, std::int64_t image) {
  const std::uint8_t* pixels = split.pixels.data() + image * split.image_bytes();
  const auto green = [&](std::int64_t row, std::int64_t column) {
    return static_cast<double>(pixels[(row * split.width + column) * split.channels + 1]);
  };
  double low = 255, high = 0;
  for (std::int64_t i = 0; i < split.height * split.width; ++i) {
    low = std::min(low, green(i / split.width, i % split.width));
    high = std::max(high, green(i / split.width, i % split.width));
  }
  double n = 0, sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
  for (std::int64_t row = 0; row < split.height; ++row) {
    for (std::int64_t column = 0; column < split.width; ++column) {
      if (green(row, column) > 0.5 * (low + high)) continue;
      const auto x = static_cast<double>(column), y = static_cast<double>(row);
      n += 1, sx += x, sy += y, xx += x * x, yy += y * y, xy += x * y;
    }
  }
  const double a = xx / n - sx / n * sx / n, b = yy / n - sy / n * sy / n, c = xy / n - sx / n * sy / n;
  const double root = std::sqrt((a - b) * (a - b) / 4 + c * c);
  return {((a + b) / 2 + root) / ((a + b) / 2 - root), std::sqrt(std::max(a * b - c * c, 0.0)) / n};
}

TEST_CASE("synthetic: shape tells the classes") {
  const ImageData cells = synthesize({.kind = SyntheticKind::cells, .count = 600, .size = 48, .seed = 2});
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < cells.train.count; ++i) {
    const Outline outline = outline_of(cells.train, i);
    const int guess = outline.elongation > 2.2 ? 1 : outline.spread > 0.085 ? 2 : 0;
    right += guess == cells.train.labels[static_cast<std::size_t>(i)];
  }
  CHECK(static_cast<double>(right) > 0.95 * static_cast<double>(cells.train.count));

  // The brightest 5 x 5 square of a chest: the opacity fills it, a spot does not.
  const ImageData chest = synthesize({.kind = SyntheticKind::chest, .count = 600, .size = 28, .seed = 2});
  double by_class[2] = {0, 0};
  for (std::int64_t i = 0; i < chest.train.count; ++i) {
    const std::uint8_t* pixels = chest.train.pixels.data() + i * 28 * 28;
    int brightest = 0;
    for (int row = 3; row < 25; ++row) {
      for (int column = 4; column < 24; ++column) {
        int sum = 0;
        for (int k = 0; k < 25; ++k) sum += pixels[(row + k / 5 - 2) * 28 + column + k % 5 - 2];
        brightest = std::max(brightest, sum);
      }
    }
    by_class[chest.train.labels[static_cast<std::size_t>(i)]] +=
        brightest / 25.0 / (static_cast<double>(chest.train.count) / 2);
  }
  CHECK(by_class[1] - by_class[0] > 2 * 8);  // grey levels; out of reach of an attack of 8 on either side
}

TEST_CASE("synthetic: classes in equal parts, splits of 70, 10 and 20 percent, no image twice") {
  for (const SyntheticKind kind : kKinds) {
    const ImageData data = synthesize({.kind = kind, .count = 100, .size = 20, .seed = 0});
    CHECK(data.train.count == 70);
    CHECK(data.val.count == 10);
    CHECK(data.test.count == 20);
    CHECK(data.height == 20);
    CHECK(data.train.pixels.size() == static_cast<std::size_t>(70 * data.train.image_bytes()));
    CHECK(data.train.labels.size() == 70);
    std::vector<std::int64_t> counts(static_cast<std::size_t>(data.classes), 0);
    for (const std::int32_t label : data.train.labels) ++counts[static_cast<std::size_t>(label)];
    for (const std::int64_t count : counts) CHECK(std::abs(count - 70 / data.classes) <= 1);
    const auto bytes = static_cast<std::ptrdiff_t>(data.train.image_bytes());
    CHECK_FALSE(std::equal(data.train.pixels.begin(), data.train.pixels.begin() + bytes,
                           data.train.pixels.begin() + bytes));
  }
}

TEST_CASE("synthetic: every byte is a function of kind, size, seed and image") {
  const SyntheticSpec spec{.kind = SyntheticKind::lesion, .count = 50, .size = 24, .seed = 5};
  const ImageData data = synthesize(spec);
  CHECK(synthesize(spec).train.pixels == data.train.pixels);
  SyntheticSpec other = spec;
  other.seed = 6;
  CHECK(synthesize(other).train.pixels != data.train.pixels);
  other = spec;
  other.count = 100;  // image 40 moves to another split and stays what it is
  const ImageData more = synthesize(other);
  const auto bytes = static_cast<std::size_t>(data.test.image_bytes());
  CHECK(std::equal(data.test.pixels.begin(), data.test.pixels.begin() + static_cast<std::ptrdiff_t>(bytes),
                   more.train.pixels.begin() + static_cast<std::ptrdiff_t>(40 * bytes)));
}

TEST_CASE("synthetic: the published bytes") {
  const auto digest = [](SyntheticKind kind) {
    const ImageData data = synthesize({.kind = kind, .count = 200, .size = 28, .seed = 0});
    return xxh3_128({reinterpret_cast<const char*>(data.train.pixels.data()), data.train.pixels.size()});
  };
  CHECK(digest(SyntheticKind::chest) == "5adc7156f02941783d224e2b51689ccf");
  CHECK(digest(SyntheticKind::shortcut) == "e52ef9756fe2bbf9e9527af2642db154");
  CHECK(digest(SyntheticKind::lesion) == "8b857beaf4a31cbf23ff660ebc4ef6d1");
  CHECK(digest(SyntheticKind::cells) == "ce09211d63db4d2c306b35135bea18ec");
}

TEST_CASE("synthetic: numbers out of range and unknown kinds are told") {
  CHECK_FAILS(ErrorKind::usage, "count is 9", synthesize({.count = 9}));
  CHECK_FAILS(ErrorKind::usage, "count is -1", synthesize({.count = -1}));
  CHECK_FAILS(ErrorKind::usage, "size is 15", synthesize({.size = 15}));
  CHECK_FAILS(ErrorKind::usage, "size is 1025", synthesize({.size = 1025}));
  CHECK(synthetic_kind("cells") == SyntheticKind::cells);
  CHECK_FAILS(ErrorKind::usage, "'retina' is unknown", synthetic_kind("retina"));
}

}  // namespace
}  // namespace inocula
