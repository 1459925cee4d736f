// Outlines, rasters and rounding to bytes.
#include "io/canvas.h"

#include <algorithm>
#include <cmath>

namespace inocula {

float cos_turn(float turns) {
  return portable_sincos_turn(turns - std::floor(turns)).cos;
}

float smooth_step(float t) {
  t = std::clamp(t, 0.0f, 1.0f);
  return t * t * (3.0f - 2.0f * t);
}

float SoftShape::coverage(float at_x, float at_y) const {
  const SinCos turn = portable_sincos_turn(angle);
  const float stretch = std::sqrt(aspect);
  const float u = ((at_x - x) * turn.cos + (at_y - y) * turn.sin) / stretch;
  const float v = ((at_y - y) * turn.cos - (at_x - x) * turn.sin) * stretch;
  const float distance = std::sqrt(u * u + v * v);
  const float c = distance > 0 ? u / distance : 1.0f, s = distance > 0 ? v / distance : 0.0f;
  float outline = 1, area = 1;
  for (const Lobes& lobe : lobes) {
    float re = 1, im = 0;  // (c + i s)^count
    for (int i = 0; i < lobe.count; ++i) {
      const float next = re * c - im * s;
      im = re * s + im * c;
      re = next;
    }
    const SinCos phase = portable_sincos_turn(lobe.phase);
    outline += lobe.amplitude * (re * phase.cos - im * phase.sin);
    area += 0.5f * lobe.amplitude * lobe.amplitude;
  }
  const float edge = radius * outline / std::sqrt(area);
  return smooth_step(0.5f + (edge - distance) / (softness * edge));
}

Canvas::Canvas(std::int64_t size, int channels)
    : size_(size), channels_(channels), values_(static_cast<std::size_t>(size * size * channels)) {}

void Canvas::add_raster(float amplitude, Lines lines, int phase) {
  for (std::int64_t i = 0; i < size_ * size_; ++i) {
    const std::int64_t line = lines == Lines::across ? i / size_ : i % size_;
    values_[static_cast<std::size_t>(i)] += (line + phase) % 2 == 0 ? amplitude : -amplitude;
  }
}

void Canvas::append_to(std::vector<std::uint8_t>& bytes) const {
  for (const float value : values_) {
    bytes.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255.0f + 0.5f));
  }
}

}  // namespace inocula
