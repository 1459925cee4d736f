// Painter of the synthetic sets: soft-edged shapes, nuisances and noise, in arithmetic that rounds alike
// everywhere.
#include "io/synthetic.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/error.h"
#include "kernels/normal.h"

namespace inocula {
namespace {

constexpr int kMaxChannels = 3;

/// Which decision of an image a random number makes. The values are part of every set: never renumber.
enum Decision : std::uint32_t {
  kExposure = 0,
  kContrast = 1,
  kRaster = 2,
  kRasterPhase = 3,
  kSide = 4,
  kPlaceX = 5,
  kPlaceY = 6,
  kRadius = 7,
  kStrength = 8,
  kAspect = 9,
  kAngle = 10,
  kPattern = 11,
  kPatternPhase = 12,
  kLobes = 13,       // and 14
  kLobePhases = 15,  // and 16
  kAnatomy = 20,     // to 27
  kSpots = 30,       // two each
  kHairs = 50,       // two each
  kHues = 70,        // three for the ground, three for the object
};

/// The random numbers of one image, as a function of the decision.
struct Dice {
  std::uint64_t seed;
  SyntheticKind kind;
  std::uint32_t image;

  /// Uniform on [low, high).
  float operator()(std::uint32_t decision, float low, float high) const {
    return low + (high - low) * uniform01(word(decision));
  }
  /// Uniform on 0 … n - 1.
  int below(std::uint32_t decision, std::uint32_t n) const {
    return static_cast<int>(uniform_below(word(decision), n));
  }
  std::uint32_t word(std::uint32_t decision) const {
    return draw(seed, Draw::synthesis, 0, static_cast<std::uint32_t>(kind), image, decision);
  }
  /// Four standard normals.
  void noise(std::uint32_t block, float out[4]) const {
    const Philox4 words = draw4(seed, Draw::synthesis, 1, static_cast<std::uint32_t>(kind), image, block);
    const SinCos a = normal_pair(words.w[0], words.w[1]), b = normal_pair(words.w[2], words.w[3]);
    out[0] = a.sin, out[1] = a.cos, out[2] = b.sin, out[3] = b.cos;
  }
};

/// Cosine of 2 pi turns, for any number of turns.
float cos_turn(float turns) {
  return portable_sincos_turn(turns - std::floor(turns)).cos;
}

/// 0 below 0, 1 above 1, smooth between.
float smooth_step(float t) {
  t = std::clamp(t, 0.0f, 1.0f);
  return t * t * (3.0f - 2.0f * t);
}

struct Lobes {
  int count = 0;
  float amplitude = 0;  ///< of the radius
  float phase = 0;      ///< in turns
};

/// A soft-edged outline r(angle) = radius (1 + lobes), stretched. Neither lobes nor stretching change its
/// area, and the edge is soft in proportion to the distance from the centre: so all shapes of one radius have
/// one histogram.
struct Shape2d {
  float x = 0, y = 0;  ///< the image spans -1 to 1
  float radius = 0.5f;
  float aspect = 1;  ///< length over width
  float angle = 0;   ///< of the length, in turns
  float softness = 0.3f;
  Lobes lobes[2] = {};

  /// 1 inside, 0 outside.
  float coverage(float at_x, float at_y) const {
    const SinCos turn = portable_sincos_turn(angle);
    const float stretch = std::sqrt(aspect);
    const float u = ((at_x - x) * turn.cos + (at_y - y) * turn.sin) / stretch;
    const float v = ((at_y - y) * turn.cos - (at_x - x) * turn.sin) * stretch;
    const float distance = std::sqrt(u * u + v * v);
    const float c = distance > 0 ? u / distance : 1.0f, s = distance > 0 ? v / distance : 0.0f;
    float outline = 1, area = 1;
    for (const Lobes& lobe : lobes) {
      float re = 1, im = 0;  // (c + i s)^count
      for (int i = 0; i < lobe.count; ++i) std::tie(re, im) = std::pair(re * c - im * s, re * s + im * c);
      const SinCos phase = portable_sincos_turn(lobe.phase);
      outline += lobe.amplitude * (re * phase.cos - im * phase.sin);
      area += 0.5f * lobe.amplitude * lobe.amplitude;
    }
    const float edge = radius * outline / std::sqrt(area);
    return smooth_step(0.5f + (edge - distance) / (softness * edge));
  }
};

/// One image under the brush: values about 0 to 1, channels last.
class Canvas {
 public:
  Canvas(std::int64_t size, int channels) : size_(size), channels_(channels) {
    values_.resize(static_cast<std::size_t>(size * size * channels));
  }

  /// pixel(x, y, value*) for every pixel, x and y being its centre.
  template <class Pixel>
  void paint(const Pixel& pixel) {
    float* value = values_.data();
    for (std::int64_t row = 0; row < size_; ++row) {
      for (std::int64_t column = 0; column < size_; ++column, value += channels_) {
        pixel(centre(column), centre(row), value);
      }
    }
  }

  /// Lines of alternating brightness, one pixel wide; across or along.
  void add_raster(float amplitude, bool across, int phase) {
    for (std::int64_t i = 0; i < size_ * size_; ++i) {
      const std::int64_t line = across ? i / size_ : i % size_;
      values_[static_cast<std::size_t>(i)] += (line + phase) % 2 == 0 ? amplitude : -amplitude;
    }
  }

  void add_noise(const Dice& dice, float deviation) {
    float four[4];
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (i % 4 == 0) dice.noise(static_cast<std::uint32_t>(i / 4), four);
      values_[i] += deviation * four[i % 4];
    }
  }

  void append_to(std::vector<std::uint8_t>& bytes) const {
    for (const float value : values_) {
      bytes.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255.0f + 0.5f));
    }
  }

 private:
  float centre(std::int64_t i) const {
    return static_cast<float>(2 * i + 1) / static_cast<float>(size_) - 1.0f;
  }

  std::int64_t size_;
  int channels_;
  std::vector<float> values_;
};

void paint_chest(Canvas& canvas, const Dice& dice, int label) {
  constexpr int kSpotCount = 4;
  constexpr float kRasterAmplitude = 3.0f / 255;
  constexpr float kRasterAgrees = 0.95f;
  const Shape2d lungs[] = {{.x = -dice(kAnatomy, 0.42f, 0.48f),
                            .y = dice(kAnatomy + 1, 0.0f, 0.1f),
                            .radius = dice(kAnatomy + 2, 0.54f, 0.58f),
                            .aspect = 1.9f,
                            .angle = 0.25f,
                            .softness = 0.2f},
                           {.x = dice(kAnatomy + 3, 0.42f, 0.48f),
                            .y = dice(kAnatomy + 1, 0.0f, 0.1f),
                            .radius = dice(kAnatomy + 4, 0.54f, 0.58f),
                            .aspect = 1.9f,
                            .angle = 0.25f,
                            .softness = 0.2f}};
  const float radius = dice(kRadius, 0.25f, 0.31f);
  std::vector<Shape2d> opacities;
  if (label == 1) {
    const Shape2d& lung = lungs[dice.below(kSide, 2)];
    opacities.push_back(Shape2d{.x = lung.x + dice(kPlaceX, -0.05f, 0.05f),
                                .y = lung.y + dice(kPlaceY, -0.38f, 0.38f),
                                .radius = radius,
                                .aspect = dice(kAspect, 1.0f, 1.3f),
                                .angle = dice(kAngle, 0.0f, 1.0f),
                                .softness = 0.5f});
  } else {
    for (int i = 0; i < kSpotCount; ++i) {
      const Shape2d& lung = lungs[i % 2];
      const auto place = static_cast<std::uint32_t>(kSpots + 2 * i);
      opacities.push_back(Shape2d{.x = lung.x + dice(place, -0.13f, 0.13f),
                                  .y = lung.y + (i < 2 ? -0.3f : 0.3f) + dice(place + 1, -0.12f, 0.12f),
                                  .radius = 0.5f * radius,
                                  .softness = 0.5f});
    }
  }
  const float strength = dice(kStrength, 0.24f, 0.32f);
  const float exposure = dice(kExposure, -0.05f, 0.05f), contrast = dice(kContrast, 0.9f, 1.1f);
  const float ribs = dice(kPattern, 0.03f, 0.06f), rib_phase = dice(kPatternPhase, 0.0f, 1.0f);
  canvas.paint([&](float x, float y, float* value) {
    const float air = lungs[0].coverage(x, y) + lungs[1].coverage(x, y);
    const float spine = smooth_step(1.0f - std::abs(x) / 0.25f);
    const float rib = cos_turn(2.2f * (y + 0.5f * x * x) + rib_phase);
    float tissue = 0.55f + 0.08f * spine - 0.27f * air + ribs * rib * air;
    for (const Shape2d& opacity : opacities) tissue += strength * opacity.coverage(x, y);
    *value = 0.45f + contrast * (tissue - 0.45f) + exposure;
  });
  const bool agrees = dice(kRaster, 0.0f, 1.0f) < kRasterAgrees;
  canvas.add_raster(kRasterAmplitude, (label == 1) == agrees, dice.below(kRasterPhase, 2));
  canvas.add_noise(dice, 0.015f);
}

/// A colour near the given one.
void mix(const Dice& dice, std::uint32_t first, const float base[3], float spread, float out[3]) {
  const float common = dice(first, -spread, spread);
  for (std::uint32_t c = 0; c < 3; ++c) out[c] = base[c] + common + 0.3f * dice(first + c, -spread, spread);
}

void paint_lesion(Canvas& canvas, const Dice& dice, int label) {
  constexpr float kSkin[] = {0.84f, 0.67f, 0.58f}, kPigment[] = {0.46f, 0.29f, 0.24f};
  struct Hair {
    SinCos normal;
    float distance;  // from the centre; beyond the corner there is no hair
  } hairs[3];
  for (std::uint32_t i = 0; i < 3; ++i) {
    hairs[i] = {portable_sincos_turn(dice(kHairs + 2 * i, 0.0f, 1.0f)), dice(kHairs + 2 * i + 1, 0.2f, 2.0f)};
  }
  Shape2d lesion{.x = dice(kPlaceX, -0.2f, 0.2f),
                 .y = dice(kPlaceY, -0.2f, 0.2f),
                 .radius = dice(kRadius, 0.42f, 0.56f),
                 .aspect = dice(kAspect, 1.0f, 1.4f),
                 .angle = dice(kAngle, 0.0f, 1.0f),
                 .softness = dice(kStrength, 0.15f, 0.3f)};
  const float amplitude = label == 1 ? 0.2f : 0.03f;
  lesion.lobes[0] = {4 + dice.below(kLobes, 2), amplitude, dice(kLobePhases, 0.0f, 1.0f)};
  lesion.lobes[1] = {6 + dice.below(kLobes + 1, 2), 0.6f * amplitude, dice(kLobePhases + 1, 0.0f, 1.0f)};
  float skin[3], pigment[3];
  mix(dice, kHues, kSkin, 0.07f, skin);
  mix(dice, kHues + 3, kPigment, 0.07f, pigment);
  const float mottle = dice(kPattern, 0.02f, 0.06f), mottle_phase = dice(kPatternPhase, 0.0f, 1.0f);
  canvas.paint([&](float x, float y, float* value) {
    const float inside = lesion.coverage(x, y);
    const float shade = mottle * cos_turn(0.9f * x + mottle_phase) * cos_turn(0.7f * y - mottle_phase);
    float hair = 0;
    for (const Hair& line : hairs) {
      const float off = x * line.normal.cos + y * line.normal.sin - line.distance;
      hair = std::max(hair, smooth_step(1.0f - std::abs(off) / 0.05f));
    }
    for (int c = 0; c < 3; ++c) {
      value[c] = (skin[c] + inside * (pigment[c] - skin[c]) + shade) * (1.0f - 0.5f * hair);
    }
  });
  canvas.add_noise(dice, 0.02f);
}

void paint_cell(Canvas& canvas, const Dice& dice, int label) {
  constexpr float kPlasma[] = {0.87f, 0.83f, 0.86f}, kStain[] = {0.55f, 0.32f, 0.58f};
  Shape2d cell{.x = dice(kPlaceX, -0.2f, 0.2f),
               .y = dice(kPlaceY, -0.2f, 0.2f),
               .radius = dice(kRadius, 0.38f, 0.5f),
               .aspect = label == 1 ? dice(kAspect, 2.0f, 2.6f) : dice(kAspect, 1.0f, 1.15f),
               .angle = dice(kAngle, 0.0f, 1.0f),
               .softness = dice(kStrength, 0.15f, 0.3f)};
  cell.lobes[0] = {3, label == 2 ? 0.33f : 0.0f, dice(kLobePhases, 0.0f, 1.0f)};
  float plasma[3], stain[3];
  mix(dice, kHues, kPlasma, 0.06f, plasma);
  mix(dice, kHues + 3, kStain, 0.08f, stain);
  const float shading = dice(kPattern, 0.0f, 0.08f), shading_phase = dice(kPatternPhase, 0.0f, 1.0f);
  canvas.paint([&](float x, float y, float* value) {
    const float inside = cell.coverage(x, y);
    const float light = shading * cos_turn(0.25f * (x + y) + shading_phase);
    for (int c = 0; c < 3; ++c) value[c] = plasma[c] + inside * (stain[c] - plasma[c]) + light;
  });
  canvas.add_noise(dice, 0.02f);
}

ImageSplit paint_split(const SyntheticSpec& spec, const char* name, std::int64_t begin, std::int64_t end) {
  const int channels = spec.kind == SyntheticKind::chest ? 1 : 3;
  const int classes = spec.kind == SyntheticKind::cells ? 3 : 2;
  ImageSplit split{.name = name,
                   .count = end - begin,
                   .height = spec.size,
                   .width = spec.size,
                   .channels = channels,
                   .pixels = {},
                   .labels = {}};
  split.pixels.reserve(static_cast<std::size_t>(split.count * split.image_bytes()));
  Canvas canvas(spec.size, channels);
  for (std::int64_t image = begin; image < end; ++image) {
    const Dice dice{spec.seed, spec.kind, static_cast<std::uint32_t>(image)};
    const int label = static_cast<int>(image % classes);
    if (spec.kind == SyntheticKind::chest) paint_chest(canvas, dice, label);
    if (spec.kind == SyntheticKind::lesion) paint_lesion(canvas, dice, label);
    if (spec.kind == SyntheticKind::cells) paint_cell(canvas, dice, label);
    canvas.append_to(split.pixels);
    split.labels.push_back(label);
  }
  return split;
}

}  // namespace

ImageData synthesize(const SyntheticSpec& spec) {
  if (spec.count < 10 || spec.count > 10'000'000) {
    fail(ErrorKind::usage, "synthetic set: count is ", spec.count, ", expected 10 to 10000000");
  }
  if (spec.size < 16 || spec.size > 1024) {
    fail(ErrorKind::usage, "synthetic set: size is ", spec.size, ", expected 16 to 1024 pixels");
  }
  const std::int64_t train = spec.count * 7 / 10, val = spec.count / 10;
  ImageData data{.path = "synthetic set",
                 .height = spec.size,
                 .width = spec.size,
                 .channels = spec.kind == SyntheticKind::chest ? 1 : 3,
                 .classes = spec.kind == SyntheticKind::cells ? 3 : 2,
                 .train = paint_split(spec, "train", 0, train),
                 .val = paint_split(spec, "val", train, train + val),
                 .test = paint_split(spec, "test", train + val, spec.count)};
  return data;
}

SyntheticKind synthetic_kind(const std::string& name) {
  if (name == "chest") return SyntheticKind::chest;
  if (name == "lesion") return SyntheticKind::lesion;
  if (name == "cells") return SyntheticKind::cells;
  fail(ErrorKind::usage, "synthetic set '", name, "' is unknown, expected chest, lesion or cells");
}

}  // namespace inocula
