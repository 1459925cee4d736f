// The shape of a batch of images or activations: samples, channels, height, width.
#pragma once

#include <cstdint>
#include <string>

namespace inocula {

struct Shape {
  std::int64_t n = 1, c = 1, h = 1, w = 1;

  std::int64_t pixels() const { return h * w; }
  std::int64_t per_sample() const { return c * h * w; }
  std::int64_t size() const { return n * per_sample(); }
  Shape with_batch(std::int64_t batch) const { return {batch, c, h, w}; }
  bool operator==(const Shape&) const = default;

  /// "(32, 64, 28, 28)"
  std::string to_string() const {
    return "(" + std::to_string(n) + ", " + std::to_string(c) + ", " + std::to_string(h) + ", " +
           std::to_string(w) + ")";
  }
};

}  // namespace inocula
