// Procedural image sets for trying everything out without data; classes differ in shape, not in brightness.
#pragma once

#include <cstdint>
#include <string>

#include "engine/source.h"

namespace inocula {

enum class SyntheticKind {
  chest,   ///< grey, 2 classes: lungs with a few scattered spots (0) or one opacity of the same area (1)
  lesion,  ///< RGB, 2 classes: skin lesion with a regular (0) or an irregular border (1)
  cells,   ///< RGB, 3 classes: round (0), elongated (1), lobed (2)
  /// The images of `chest` under a faint line raster, as an acquisition may leave it, that goes across or
  /// along with the class in 98 of 100 images: a shortcut that is easy to learn, is there in the test split
  /// too, and that an attack of 8/255 turns around. For showing what training against attacks changes; what
  /// a network scores here says nothing about its sense of shape.
  shortcut,
};

struct SyntheticSpec {
  SyntheticKind kind = SyntheticKind::chest;
  std::int64_t count = 2000;  ///< images in all; 70 % train, 10 % val, 20 % test
  std::int64_t size = 28;     ///< height and width in pixels, 16 to 1024
  std::uint64_t seed = 0;
};

/// Each byte is a function of (kind, size, seed, image): the same on every machine, whatever the count.
/// Classes take turns. Errors: usage when a number is out of range (count: 10 to 10 million).
ImageData synthesize(const SyntheticSpec& spec);

/// "chest", "lesion", "cells" or "shortcut". Errors: usage.
SyntheticKind synthetic_kind(const std::string& name);

}  // namespace inocula
