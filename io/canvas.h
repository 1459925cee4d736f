// Soft-edged shapes on a small canvas, in arithmetic that rounds alike on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/normal.h"

namespace inocula {

/// Cosine of 2 pi turns, for any number of turns.
float cos_turn(float turns);

/// 0 below 0, 1 above 1, smooth between.
float smooth_step(float t);

struct Lobes {
  int count = 0;
  float amplitude = 0;  ///< of the radius
  float phase = 0;      ///< in turns
};

/// A soft-edged outline r(angle) = radius (1 + lobes), stretched. Neither lobes nor stretching change its
/// area, and the edge is soft in proportion to the distance from the centre: so all shapes of one radius have
/// one histogram.
struct SoftShape {
  float x = 0, y = 0;  ///< the canvas spans -1 to 1
  float radius = 0.5f;
  float aspect = 1;  ///< length over width
  float angle = 0;   ///< of the length, in turns
  float softness = 0.3f;
  Lobes lobes[2] = {};

  /// 1 inside, 0 outside.
  float coverage(float at_x, float at_y) const;
};

enum class Lines { across, along };

/// One image under the brush: values about 0 to 1, channels last.
class Canvas {
 public:
  Canvas(std::int64_t size, int channels);

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

  /// Lines of alternating brightness, one pixel wide, for a canvas of one channel.
  void add_raster(float amplitude, Lines lines, int phase);

  /// deviation times normals(block), four values at a time.
  template <class Normals>
  void add_noise(float deviation, const Normals& normals) {
    Normal4 noise;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (i % 4 == 0) noise = normals(static_cast<std::uint32_t>(i / 4));
      values_[i] += deviation * noise.v[i % 4];
    }
  }

  /// As bytes, cut off at 0 and 1.
  void append_to(std::vector<std::uint8_t>& bytes) const;

 private:
  float centre(std::int64_t i) const {
    return static_cast<float>(2 * i + 1) / static_cast<float>(size_) - 1.0f;
  }

  std::int64_t size_;
  int channels_;
  std::vector<float> values_;
};

}  // namespace inocula
