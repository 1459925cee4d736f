// Painter of the synthetic sets: shapes that tell the classes, nuisances that do not, noise; one shortcut.
#include "io/synthetic.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "io/canvas.h"
#include "kernels/normal.h"

namespace inocula {
namespace {

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
  /// Standard normals 4 block … 4 block + 3.
  Normal4 noise(std::uint32_t block) const {
    return normal4(draw4(seed, Draw::synthesis, 1, static_cast<std::uint32_t>(kind), image, block));
  }
};

/// One opacity, or four spots of together the same area, in lungs that stand left and right.
std::vector<SoftShape> opacities_of(const SoftShape lungs[2], const Dice& dice, int label) {
  const float radius = dice(kRadius, 0.25f, 0.31f);
  if (label == 1) {
    const SoftShape& lung = lungs[dice.below(kSide, 2)];
    return {SoftShape{.x = lung.x + dice(kPlaceX, -0.05f, 0.05f),
                      .y = lung.y + dice(kPlaceY, -0.38f, 0.38f),
                      .radius = radius,
                      .aspect = dice(kAspect, 1.0f, 1.3f),
                      .angle = dice(kAngle, 0.0f, 1.0f),
                      .softness = 0.5f}};
  }
  std::vector<SoftShape> spots;
  for (std::uint32_t i = 0; i < 4; ++i) {
    const SoftShape& lung = lungs[i % 2];
    spots.push_back(SoftShape{.x = lung.x + dice(kSpots + 2 * i, -0.13f, 0.13f),
                              .y = lung.y + (i < 2 ? -0.3f : 0.3f) + dice(kSpots + 2 * i + 1, -0.12f, 0.12f),
                              .radius = 0.5f * radius,
                              .softness = 0.5f});
  }
  return spots;
}

void paint_raster(Canvas& canvas, const Dice& dice, int label) {
  constexpr float kAmplitude = 4.0f / 255;
  constexpr float kAgrees = 0.98f;
  const bool agrees = dice(kRaster, 0.0f, 1.0f) < kAgrees;
  const Lines lines = (label == 1) == agrees ? Lines::across : Lines::along;
  canvas.add_raster(kAmplitude, lines, dice.below(kRasterPhase, 2));
}

void paint_chest(Canvas& canvas, const Dice& dice, SyntheticKind kind, int label) {
  SoftShape lungs[2];
  for (std::uint32_t i = 0; i < 2; ++i) {
    lungs[i] = SoftShape{.x = (i == 0 ? -1.0f : 1.0f) * dice(kAnatomy + i, 0.42f, 0.48f),
                         .y = dice(kAnatomy + 2, 0.0f, 0.1f),
                         .radius = dice(kAnatomy + 3 + i, 0.54f, 0.58f),
                         .aspect = 1.9f,
                         .angle = 0.25f,
                         .softness = 0.2f};
  }
  const std::vector<SoftShape> opacities = opacities_of(lungs, dice, label);
  const float strength = dice(kStrength, 0.36f, 0.44f);
  const float exposure = dice(kExposure, -0.05f, 0.05f), contrast = dice(kContrast, 0.9f, 1.1f);
  const float ribs = dice(kPattern, 0.03f, 0.06f), rib_phase = dice(kPatternPhase, 0.0f, 1.0f);
  canvas.paint([&](float x, float y, float* value) {
    const float air = lungs[0].coverage(x, y) + lungs[1].coverage(x, y);
    const float spine = smooth_step(1.0f - std::abs(x) / 0.25f);
    const float rib = cos_turn(2.2f * (y + 0.5f * x * x) + rib_phase);
    float tissue = 0.55f + 0.08f * spine - 0.27f * air + ribs * rib * air;
    for (const SoftShape& opacity : opacities) tissue += strength * opacity.coverage(x, y);
    *value = 0.45f + contrast * (tissue - 0.45f) + exposure;
  });
  if (kind == SyntheticKind::shortcut) paint_raster(canvas, dice, label);
  canvas.add_noise(0.012f, [&](std::uint32_t block) { return dice.noise(block); });
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
  SoftShape lesion{.x = dice(kPlaceX, -0.2f, 0.2f),
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
  canvas.add_noise(0.02f, [&](std::uint32_t block) { return dice.noise(block); });
}

void paint_cell(Canvas& canvas, const Dice& dice, int label) {
  constexpr float kPlasma[] = {0.87f, 0.83f, 0.86f}, kStain[] = {0.55f, 0.32f, 0.58f};
  SoftShape cell{.x = dice(kPlaceX, -0.2f, 0.2f),
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
  canvas.add_noise(0.02f, [&](std::uint32_t block) { return dice.noise(block); });
}

int channels_of(SyntheticKind kind) {
  return kind == SyntheticKind::chest || kind == SyntheticKind::shortcut ? 1 : 3;
}

/// Whose random numbers a kind draws: with the shortcut or without, the chests are the same.
SyntheticKind drawn_as(SyntheticKind kind) {
  return kind == SyntheticKind::shortcut ? SyntheticKind::chest : kind;
}

ImageSplit paint_split(const SyntheticSpec& spec, const char* name, std::int64_t begin, std::int64_t end) {
  const int channels = channels_of(spec.kind);
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
    const int label = static_cast<int>(image % classes);
    const Dice dice{spec.seed, drawn_as(spec.kind), static_cast<std::uint32_t>(image)};
    switch (spec.kind) {
      case SyntheticKind::chest:
      case SyntheticKind::shortcut:
        paint_chest(canvas, dice, spec.kind, label);
        break;
      case SyntheticKind::lesion:
        paint_lesion(canvas, dice, label);
        break;
      case SyntheticKind::cells:
        paint_cell(canvas, dice, label);
        break;
    }
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
                 .channels = channels_of(spec.kind),
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
  if (name == "shortcut") return SyntheticKind::shortcut;
  fail(ErrorKind::usage, "synthetic set '", name, "' is unknown, expected chest, lesion, cells or shortcut");
}

}  // namespace inocula
