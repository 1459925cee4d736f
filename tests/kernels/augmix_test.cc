// AugMix: operations against Pillow and their definitions, draws against theory, the mixture of both.
#include "kernels/augmix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <tuple>

#include "tests/kernels/augmix_pillow.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

/// A batch of images, and which samples they are.
struct Images {
  std::int64_t rows = 0, channels = 0, height = 0, width = 0;
  std::vector<float> x;

  std::int64_t values() const { return channels * height * width; }
};

using Levels = std::vector<int>;

Images images_of(std::int64_t rows, std::int64_t channels, std::int64_t height, std::int64_t width,
                 const Levels& levels) {
  Images images{rows, channels, height, width, {}};
  for (const int level : levels) images.x.push_back(static_cast<float>(level) / 255.0f);
  REQUIRE(static_cast<std::int64_t>(images.x.size()) == rows * images.values());
  return images;
}

/// Gradients with noise, between 30 and 220.
Images textured(std::int64_t rows, std::int64_t channels, std::int64_t height, std::int64_t width,
                unsigned seed = 1) {
  std::mt19937 noise(seed);
  Levels levels;
  for (std::int64_t plane = 0; plane < rows * channels; ++plane)
    for (std::int64_t row = 0; row < height; ++row)
      for (std::int64_t column = 0; column < width; ++column)
        levels.push_back(30 + static_cast<int>((row * 3 + column * 4 + plane * 17) % 160 + noise() % 31));
  return images_of(rows, channels, height, width, levels);
}

/// Sizes with whole and with partial teams of threads; the last has neither neighbours nor a centre pixel.
Images image_of_size(int which) {
  if (which == 0) return textured(1, 1, 28, 28);
  if (which == 1) return textured(2, 3, 9, 7);
  return textured(3, 1, 1, 1);
}
constexpr int kSizes = 3;

Levels levels_of(const std::vector<float>& y) {
  Levels levels;
  bool whole = true;
  for (const float v : y) {
    levels.push_back(static_cast<int>(std::lround(double{v} * 255)));
    whole = whole && static_cast<float>(levels.back()) / 255.0f == v;
  }
  CHECK_MESSAGE(whole, "an operation's result is not one of 256 levels");
  return levels;
}

std::vector<float> augmented(const Run& run, const Images& images, ImageOp kind, double level,
                             bool negative) {
  Guarded<float> y(images.x.size(), kNan);
  Guarded<std::uint64_t> scratch(static_cast<std::size_t>(images.rows) *
                                 augmix_scratch_bytes(images.values()) / 8);
  run.kernels.augment(run.queue, {.y = y.data(),
                                  .x = images.x.data(),
                                  .scratch = reinterpret_cast<std::uint8_t*>(scratch.data()),
                                  .rows = images.rows,
                                  .channels = images.channels,
                                  .height = images.height,
                                  .width = images.width,
                                  .kind = kind,
                                  .negative = negative ? 1 : 0,
                                  .level = level});
  scratch.values();
  return y.values();
}

Levels augmented(const Images& images, ImageOp kind, double level, bool negative = false) {
  return levels_of(same_everywhere(
      [&](const Run& run) { return Outputs{augmented(run, images, kind, level, negative)}; })[0]);
}

/// What the mixture is told beyond images.
struct Recipe {
  std::vector<std::int32_t> sample;
  StepState state = {.seed = 5, .step = 3};
  float severity = 3, alpha = 1;
  std::int32_t chains = 3, depth = -1;
  ImageOpSet set = ImageOpSet::all;
  std::uint32_t view = 0;
};

Recipe recipe_for(const Images& images) {
  Recipe recipe;
  for (std::int64_t i = 0; i < images.rows; ++i) recipe.sample.push_back(static_cast<std::int32_t>(100 + i));
  return recipe;
}

std::vector<float> mixed(const Run& run, const Images& images, const Recipe& recipe) {
  Guarded<float> y(images.x.size(), kNan);
  Guarded<std::uint64_t> scratch(static_cast<std::size_t>(images.rows) *
                                 augmix_scratch_bytes(images.values()) / 8);
  run.kernels.augmix(run.queue, {.y = y.data(),
                                 .x = images.x.data(),
                                 .sample = recipe.sample.data(),
                                 .state = &recipe.state,
                                 .scratch = reinterpret_cast<std::uint8_t*>(scratch.data()),
                                 .rows = images.rows,
                                 .channels = images.channels,
                                 .height = images.height,
                                 .width = images.width,
                                 .severity = recipe.severity,
                                 .chains = recipe.chains,
                                 .depth = recipe.depth,
                                 .alpha = recipe.alpha,
                                 .set = recipe.set,
                                 .view = recipe.view});
  scratch.values();
  return y.values();
}

std::vector<float> mixed(const Images& images, const Recipe& recipe) {
  return same_everywhere([&](const Run& run) { return Outputs{mixed(run, images, recipe)}; })[0];
}

/// One image, channels first, and the definitions of the operations on it, in double.
struct Reference {
  int channels, height, width;
  Levels v;

  int& at(int c, int row, int column) {
    return v[static_cast<std::size_t>((c * height + row) * width + column)];
  }
  int at(int c, int row, int column) const { return const_cast<Reference*>(this)->at(c, row, column); }

  Reference each(const std::function<double(int c, int row, int column)>& f) const {
    Reference r = *this;
    for (int c = 0; c < channels; ++c)
      for (int row = 0; row < height; ++row)
        for (int column = 0; column < width; ++column)
          r.at(c, row, column) = static_cast<int>(std::clamp(f(c, row, column), 0.0, 255.0));
    return r;
  }
  Levels channel(int c) const {
    return {v.begin() + c * height * width, v.begin() + (c + 1) * height * width};
  }
  double luma(int row, int column) const {
    if (channels == 1) return at(0, row, column);
    return std::floor(0.299 * at(0, row, column) + 0.587 * at(1, row, column) + 0.114 * at(2, row, column) +
                      0.5);
  }
  /// `share` of this, the rest of others.
  Reference blended(double share, const std::function<double(int c, int row, int column)>& other) const {
    return each([&](int c, int row, int column) {
      return (1 - share) * other(c, row, column) + share * at(c, row, column);
    });
  }
  /// Bilinear at the point that `from` makes of a pixel's centre, both relative to the image's centre; black
  /// outside. The nearer to 0 `to_edge` becomes, the nearer a point came to the edge.
  Reference moved(const std::function<std::pair<double, double>(double x, double y)>& from,
                  std::vector<double>& to_edge) const {
    to_edge.clear();
    return each([&](int c, int row, int column) {
      const double half_w = width / 2.0, half_h = height / 2.0;
      auto [x, y] = from(column + 0.5 - half_w, row + 0.5 - half_h);
      x += half_w;
      y += half_h;
      to_edge.push_back(std::min({std::fabs(x), std::fabs(y), std::fabs(x - width), std::fabs(y - height)}));
      if (x < 0 || y < 0 || x >= width || y >= height) return 0.0;
      double sum = 0;
      for (int r = 0; r < height; ++r)
        for (int k = 0; k < width; ++k) {
          // Tents about the centres; beyond the outermost centres theirs stay at 1.
          const double cx = std::clamp(x, 0.5, width - 0.5), cy = std::clamp(y, 0.5, height - 0.5);
          sum += std::max(0.0, 1 - std::fabs(cx - k - 0.5)) * std::max(0.0, 1 - std::fabs(cy - r - 0.5)) *
                 at(c, r, k);
        }
      return sum;
    });
  }

  Reference operated(ImageOp kind, double level, bool negative, std::vector<double>& to_edge) const {
    const double sign = negative ? -1 : 1, share = 1.8 * level / 10 + 0.1;
    to_edge.assign(v.size(), 1.0);
    switch (kind) {
      case ImageOp::autocontrast:
        return each([&](int c, int row, int column) {
          const Levels all = channel(c);
          const double lo = *std::min_element(all.begin(), all.end());
          const double hi = *std::max_element(all.begin(), all.end());
          return hi > lo ? (at(c, row, column) - lo) * 255 / (hi - lo) : at(c, row, column);
        });
      case ImageOp::equalize:
        return each([&](int c, int row, int column) -> double {
          const Levels all = channel(c);
          const int lightest = *std::max_element(all.begin(), all.end()), v = at(c, row, column);
          const auto step = (std::ssize(all) - std::count(all.begin(), all.end(), lightest)) / 255;
          const auto darker = std::count_if(all.begin(), all.end(), [&](int w) { return w < v; });
          return step == 0 ? v : static_cast<double>((step / 2 + darker) / step);
        });
      case ImageOp::posterize: {
        const int bits = std::max(1, 4 - static_cast<int>(4 * level / 10)), step = 256 >> bits;
        return each([&](int c, int row, int column) { return at(c, row, column) / step * step; });
      }
      case ImageOp::solarize:
        return each([&](int c, int row, int column) {
          const int v = at(c, row, column), threshold = 256 - static_cast<int>(256 * level / 10);
          return v >= threshold ? 255 - v : v;
        });
      case ImageOp::rotate: {
        const double turn = sign * static_cast<int>(30 * level / 10) * M_PI / 180;
        return moved(
            [&](double x, double y) {
              return std::pair(std::cos(turn) * x - std::sin(turn) * y,
                               std::sin(turn) * x + std::cos(turn) * y);
            },
            to_edge);
      }
      // Shears are about the upper left corner.
      case ImageOp::shear_x:
        return moved(
            [&](double x, double y) { return std::pair(x + sign * 0.03 * level * (y + height / 2.0), y); },
            to_edge);
      case ImageOp::shear_y:
        return moved(
            [&](double x, double y) { return std::pair(x, y + sign * 0.03 * level * (x + width / 2.0)); },
            to_edge);
      case ImageOp::translate_x:
      case ImageOp::translate_y: {
        const bool along_x = kind == ImageOp::translate_x;
        const int by =
            static_cast<int>(sign) * static_cast<int>((along_x ? width : height) / 3.0 * level / 10);
        return each([&](int c, int row, int column) {
          const int from_row = along_x ? row : row + by, from_column = along_x ? column + by : column;
          const bool inside = from_row >= 0 && from_row < height && from_column >= 0 && from_column < width;
          return inside ? at(c, from_row, from_column) : 0;
        });
      }
      case ImageOp::color:
        return blended(share, [&](int, int row, int column) { return luma(row, column); });
      case ImageOp::contrast: {
        double sum = 0;
        for (int row = 0; row < height; ++row)
          for (int column = 0; column < width; ++column) sum += luma(row, column);
        const double mean = std::floor(sum / (height * width) + 0.5);
        return blended(share, [&](int, int, int) { return mean; });
      }
      case ImageOp::brightness:
        return blended(share, [&](int, int, int) { return 0.0; });
      case ImageOp::sharpness:
        return blended(share, [&](int c, int row, int column) -> double {
          if (row == 0 || column == 0 || row == height - 1 || column == width - 1) return at(c, row, column);
          int sum = 4 * at(c, row, column);
          for (int dr = -1; dr <= 1; ++dr)
            for (int dc = -1; dc <= 1; ++dc) sum += at(c, row + dr, column + dc);
          return std::floor(sum / 13.0 + 0.5);
        });
      case ImageOp::flip_horizontal:
        return each([&](int c, int row, int column) { return at(c, row, width - 1 - column); });
      case ImageOp::flip_vertical:
        return each([&](int c, int row, int column) { return at(c, height - 1 - row, column); });
    }
    return *this;
  }
};

/// Operations without fractions: their definition is met to the level.
bool exact(ImageOp kind) {
  switch (kind) {
    case ImageOp::equalize:
    case ImageOp::posterize:
    case ImageOp::solarize:
    case ImageOp::translate_x:
    case ImageOp::translate_y:
    case ImageOp::flip_horizontal:
    case ImageOp::flip_vertical:
      return true;
    default:
      return false;
  }
}

std::vector<ImageOp> every_kind() {
  std::vector<ImageOp> kinds;
  for (std::int32_t i = 0; i < kImageOps; ++i) kinds.push_back(static_cast<ImageOp>(i));
  return kinds;
}

/// sqrt(n) times the largest distance of a sample's distribution from `theory`: above 1.95 once in a
/// thousand.
double kolmogorov(std::vector<double> seen, const std::function<double(double)>& theory) {
  std::sort(seen.begin(), seen.end());
  const auto n = static_cast<double>(seen.size());
  double worst = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double f = theory(seen[i]), below = static_cast<double>(i) / n;
    worst = std::max({worst, std::fabs(f - below), std::fabs(f - below - 1 / n)});
  }
  return worst * std::sqrt(n);
}
constexpr double kKolmogorovBound = 1.95;

/// Whether counts of alternatives that are all alike deviate by less than 5 standard deviations each.
void check_even(const std::vector<int>& counts) {
  const double n = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double p = 1.0 / static_cast<double>(counts.size());
  for (const int count : counts) {
    CAPTURE(count);
    CHECK(std::fabs(count - n * p) <= 5 * std::sqrt(n * p * (1 - p)));
  }
}

constexpr std::uint32_t kMany = 20000;

TEST_CASE("augmix: operations make of an image what Pillow makes of it") {
  std::set<ImageOp> seen;
  for (const PillowResult& pillow : kPillowResults) {
    CAPTURE(static_cast<int>(pillow.kind));
    CAPTURE(pillow.level);
    CAPTURE(pillow.negative);
    Levels image, expected;
    for (int c = 0; c < pillow.channels; ++c)
      for (int row = 0; row < 15; ++row)
        for (int column = 0; column < 20; ++column) {
          const std::uint32_t mixed =
              static_cast<std::uint32_t>(row * 31 + column * 17 + c * 13 + 1) * 2654435761u;
          image.push_back(20 + (row * 7 + column * 5 + c * 40 + static_cast<int>(mixed >> 27)) % 200);
        }
    for (std::size_t i = 0; i < image.size(); ++i)
      expected.push_back(std::stoi(std::string(pillow.image + 2 * i, 2), nullptr, 16));
    const Levels made =
        augmented(images_of(1, pillow.channels, 15, 20, image), pillow.kind, pillow.level, pillow.negative);
    int apart = 0, different = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      apart += std::abs(made[i] - expected[i]) > 1;
      different += made[i] != expected[i];
    }
    if (pillow.kind == ImageOp::rotate) {
      // Sine and cosine are other than Pillow's by 3e-7.
      CHECK(apart <= std::ssize(made) / 200);
      CHECK(different <= std::ssize(made) / 50);
    } else {
      CHECK(different == 0);
    }
    seen.insert(pillow.kind);
  }
  CHECK(std::ssize(seen) == kImageOps);
}

TEST_CASE("augmix: operations are their definitions at any level and size") {
  for (const ImageOp kind : every_kind()) {
    CAPTURE(static_cast<int>(kind));
    for (int size = 0; size < kSizes; ++size) {
      const Images images = image_of_size(size);
      CAPTURE(images.width);
      for (const double level : {0.1, 1.7, 2.99, 10.0}) {
        CAPTURE(level);
        for (const bool negative : {false, true}) {
          const Levels made = augmented(images, kind, level, negative);
          const Levels all = levels_of(images.x);
          const auto values = static_cast<std::size_t>(images.values());
          for (std::size_t row = 0; row < static_cast<std::size_t>(images.rows); ++row) {
            const Reference before{static_cast<int>(images.channels),
                                   static_cast<int>(images.height),
                                   static_cast<int>(images.width),
                                   {all.begin() + static_cast<std::ptrdiff_t>(row * values),
                                    all.begin() + static_cast<std::ptrdiff_t>((row + 1) * values)}};
            std::vector<double> to_edge;
            const Reference after = before.operated(kind, level, negative, to_edge);
            int worst = 0;
            for (std::size_t i = 0; i < values; ++i)
              if (to_edge[i] > 1e-4) worst = std::max(worst, std::abs(made[row * values + i] - after.v[i]));
            CHECK(worst <= (exact(kind) ? 0 : 1));
          }
        }
      }
    }
  }
}

TEST_CASE("augmix: an even grey image stays under operations that move or stretch nothing") {
  for (const std::int64_t channels : {1, 3}) {
    for (const int grey : {0, 77, 255}) {
      const Levels levels(static_cast<std::size_t>(channels * 28 * 28), grey);
      const Images images = images_of(1, channels, 28, 28, levels);
      for (const ImageOp kind : {ImageOp::autocontrast, ImageOp::equalize, ImageOp::color, ImageOp::contrast,
                                 ImageOp::sharpness, ImageOp::flip_horizontal, ImageOp::flip_vertical}) {
        CAPTURE(static_cast<int>(kind));
        for (const double level : {0.1, 3.0, 10.0}) CHECK(augmented(images, kind, level) == levels);
      }
      // Too weak to be a degree or a pixel.
      for (const ImageOp kind : {ImageOp::rotate, ImageOp::translate_x, ImageOp::translate_y})
        CHECK(augmented(images, kind, 0.3) == levels);
    }
  }
}

TEST_CASE("augmix: the mixture is the drawn chains of operations in the drawn shares") {
  for (const ImageOpSet set : {ImageOpSet::standard, ImageOpSet::all, ImageOpSet::flips}) {
    for (int size = 0; size < kSizes; ++size) {
      for (const auto& [chains, depth, alpha] :
           {std::tuple(3, -1, 1.0f), std::tuple(1, 0, 1.0f), std::tuple(kMostChains, kMostDepth, 0.3f)}) {
        const Images images = image_of_size(size);
        Recipe recipe = recipe_for(images);
        recipe.set = set;
        recipe.chains = chains;
        recipe.depth = depth;
        recipe.alpha = alpha;
        recipe.view = 2;
        recipe.severity = 5;
        std::vector<double> expected;
        for (std::int64_t row = 0; row < images.rows; ++row) {
          const auto begin = images.x.begin() + row * images.values();
          const std::vector<float> x(begin, begin + images.values());
          const MixDraws draws{5, 2, 3,
                               static_cast<std::uint32_t>(recipe.sample[static_cast<std::size_t>(row)])};
          const MixWeights weights = draws.weights(chains, double{alpha});
          std::vector<double> sum(x.size());
          for (std::int32_t chain = 0; chain < chains; ++chain) {
            Images image{1, images.channels, images.height, images.width, x};
            for (std::int32_t place = 0; place < draws.depth_of(chain, depth); ++place) {
              const DrawnOp drawn = draws.operation(chain, place, set, 5);
              image.x = augmented(runs().front(), image, drawn.kind, drawn.level, drawn.negative);
            }
            for (std::size_t i = 0; i < x.size(); ++i) sum[i] += weights.chain[chain] * double{image.x[i]};
          }
          for (std::size_t i = 0; i < x.size(); ++i)
            expected.push_back(
                std::clamp((1 - weights.mixed) * double{x[i]} + weights.mixed * sum[i], 0.0, 1.0));
        }
        check_near(mixed(images, recipe), expected, 0, 1e-6, "augmix");
      }
    }
  }
}

TEST_CASE("augmix: an image's mixture depends on neither its batch nor its place in it") {
  const Images images = textured(5, 3, 9, 7);
  const Recipe recipe = recipe_for(images);
  const std::vector<float> all = mixed(images, recipe);
  CHECK(all != images.x);
  for (std::int64_t row = 0; row < images.rows; ++row) {
    const std::int64_t begin = row * images.values(), end = begin + images.values();
    const Images one{1, 3, 9, 7, {images.x.begin() + begin, images.x.begin() + end}};
    Recipe alone = recipe;
    alone.sample = {recipe.sample[static_cast<std::size_t>(row)]};
    CHECK(mixed(one, alone) == std::vector<float>(all.begin() + begin, all.begin() + end));
  }
  std::vector<Recipe> others(4, recipe);
  others[0].state.step += 1;
  others[1].state.seed += 1;
  others[2].view += 1;
  for (std::int32_t& sample : others[3].sample) sample += 50;
  for (const Recipe& other : others) CHECK(mixed(images, other) != all);
}

TEST_CASE("augmix: depths, operations, levels and signs are drawn alike") {
  std::vector<int> depths(3), kinds(13), signs(2), flips(2), together(13 * 2 * 2);
  std::vector<double> levels;
  for (std::uint32_t sample = 0; sample < kMany; ++sample) {
    const MixDraws draws{7, 1, 2, sample};
    for (std::int32_t chain = 0; chain < 3; ++chain) {
      const std::int32_t depth = draws.depth_of(chain, -1);
      REQUIRE(depth >= 1);
      REQUIRE(depth <= 3);
      ++depths[static_cast<std::size_t>(depth - 1)];
      const DrawnOp drawn = draws.operation(chain, depth - 1, ImageOpSet::all, 3);
      REQUIRE(static_cast<std::int32_t>(drawn.kind) < 13);
      ++kinds[static_cast<std::size_t>(drawn.kind)];
      ++signs[drawn.negative ? 1 : 0];
      const int of_pair = (drawn.negative ? 2 : 0) + (drawn.level > 1.55 ? 1 : 0);
      ++together[static_cast<std::size_t>(static_cast<int>(drawn.kind) * 4 + of_pair)];
      levels.push_back(drawn.level);
    }
    const ImageOp standard = draws.operation(0, 0, ImageOpSet::standard, 3).kind;
    REQUIRE(static_cast<std::int32_t>(standard) < 9);
    const ImageOp flip = draws.operation(0, 0, ImageOpSet::flips, 3).kind;
    REQUIRE(flip >= ImageOp::flip_horizontal);
    ++flips[flip == ImageOp::flip_vertical ? 1 : 0];
  }
  check_even(depths);
  check_even(kinds);
  check_even(signs);
  check_even(together);
  check_even(flips);
  CHECK(kolmogorov(levels, [](double l) { return (l - 0.1) / 2.9; }) < kKolmogorovBound);
  CHECK(MixDraws{7, 1, 2, 0}.depth_of(0, 5) == 5);
}

TEST_CASE("augmix: what is drawn for a sample is what results were saved with") {
  const MixDraws draws{5, 2, 3, 7};
  const auto operation = [&](int chain, int place) {
    const DrawnOp drawn = draws.operation(chain, place, ImageOpSet::all, 3);
    return std::tuple(drawn.kind, drawn.level, drawn.negative);
  };
  CHECK((operation(0, 0) == std::tuple(ImageOp::posterize, 2.4103566397563556, false)));
  CHECK((operation(0, 1) == std::tuple(ImageOp::equalize, 1.7180223203613423, true)));
  CHECK((operation(1, 0) == std::tuple(ImageOp::translate_y, 2.6919961802079344, true)));
  CHECK((operation(1, 1) == std::tuple(ImageOp::shear_y, 2.3384069082443601, true)));
  CHECK(draws.depth_of(0, -1) == 1);
  CHECK(draws.depth_of(1, -1) == 3);
  const auto shares = [&](double alpha) {
    const MixWeights w = draws.weights(3, alpha);
    return std::array{w.chain[0], w.chain[1], w.mixed};
  };
  CHECK((shares(1) == std::array{0.36948390874584269, 0.20539446464627145, 0.95726574843499002}));
  CHECK((shares(0.5) == std::array{0.029903031993148289, 0.94314747406653354, 0.0012320681785363112}));
  CHECK((shares(2) == std::array{0.2195975900515395, 0.32037289050175499, 0.42417079782847672}));
}

TEST_CASE("augmix: one chain's operations are drawn independently of another's and of its own") {
  // Pairs of operations: neighbours in a chain, and the first of two chains.
  std::vector<int> in_chain(169), across(169);
  for (std::uint32_t sample = 0; sample < 5 * kMany; ++sample) {
    const MixDraws draws{9, 0, 0, sample};
    const auto kind = [&](int chain, int place) {
      return static_cast<std::size_t>(draws.operation(chain, place, ImageOpSet::all, 3).kind);
    };
    ++in_chain[kind(0, 0) * 13 + kind(0, 1)];
    ++across[kind(0, 0) * 13 + kind(1, 0)];
  }
  check_even(in_chain);
  check_even(across);
}

TEST_CASE("augmix: shares sum to one and are distributed as Dirichlet and Beta") {
  struct Case {
    double alpha;
    std::function<double(double)> beta;  ///< distribution of Beta(alpha, alpha)
  };
  const Case cases[] = {
      {1, [](double x) { return x; }},
      {0.5, [](double x) { return 2 / M_PI * std::asin(std::sqrt(x)); }},
      {2, [](double x) { return x * x * (3 - 2 * x); }},
      {3, [](double x) { return x * x * x * (10 - 15 * x + 6 * x * x); }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.alpha);
    std::vector<double> m, two;
    double squares[3] = {}, sums[3] = {}, product = 0, with_m = 0;
    for (std::uint32_t sample = 0; sample < kMany; ++sample) {
      const MixDraws draws{11, 0, 4, sample};
      const MixWeights w = draws.weights(3, c.alpha);
      REQUIRE(std::fabs(w.chain[0] + w.chain[1] + w.chain[2] - 1) < 1e-14);
      REQUIRE(w.chain[3] == 0);
      m.push_back(w.mixed);
      // Of two chains, the first one's share is Beta too.
      two.push_back(draws.weights(2, c.alpha).chain[0]);
      for (int i = 0; i < 3; ++i) {
        sums[i] += w.chain[i];
        squares[i] += (w.chain[i] - 1.0 / 3) * (w.chain[i] - 1.0 / 3);
      }
      product += (w.chain[0] - 1.0 / 3) * (w.chain[1] - 1.0 / 3);
      with_m += (w.chain[0] - 1.0 / 3) * (w.mixed - 0.5);
    }
    CHECK(kolmogorov(m, c.beta) < kKolmogorovBound);
    CHECK(kolmogorov(two, c.beta) < kKolmogorovBound);
    const double n = kMany, variance = 2.0 / 9 / (3 * c.alpha + 1), covariance = -variance / 2;
    const double deviation = std::sqrt(variance), m_deviation = std::sqrt(0.25 / (2 * c.alpha + 1));
    for (int i = 0; i < 3; ++i) {
      CHECK(std::fabs(sums[i] / n - 1.0 / 3) < 4 * deviation / std::sqrt(n));
      // Of bounded numbers the fourth moment is at most that of the two ends: (1 - variance) / variance.
      CHECK(std::fabs(squares[i] / n - variance) < 4 * std::sqrt(variance / n));
      CHECK(std::fabs(squares[i] / n - variance) < 0.05 * variance);
    }
    CHECK(std::fabs(product / n - covariance) < 0.1 * variance);
    CHECK(std::fabs(with_m / n) < 4 * deviation * m_deviation / std::sqrt(n));
  }
  // For alpha = 1 and three chains one share is Beta(1, 2).
  std::vector<double> third;
  for (std::uint32_t sample = 0; sample < kMany; ++sample)
    third.push_back(MixDraws{11, 0, 5, sample}.weights(3, 1).chain[2]);
  CHECK(kolmogorov(third, [](double x) { return 1 - (1 - x) * (1 - x); }) < kKolmogorovBound);
}

TEST_CASE("augmix: shares are numbers however extreme alpha is") {
  for (std::uint32_t sample = 0; sample < 1000; ++sample) {
    const MixWeights one = MixDraws{1, 0, 0, sample}.weights(3, 1e-6);
    CHECK(*std::max_element(one.chain, one.chain + 3) > 0.999);
    CHECK((one.mixed < 0.001 || one.mixed > 0.999));
    const MixWeights even = MixDraws{1, 0, 0, sample}.weights(3, 1e6);
    CHECK(std::fabs(even.chain[0] - 1.0 / 3) < 0.01);
    CHECK(std::fabs(even.mixed - 0.5) < 0.01);
  }
}

}  // namespace
}  // namespace inocula::test
