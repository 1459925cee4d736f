// A handle to an array inside a Program: what it is, never where it is.
#pragma once

#include <cstdint>

#include "engine/shape.h"

namespace inocula {

enum class DType : std::uint8_t { f32, i32, bits, bytes };

/// How activations lie in memory. `plain` is row-major (N, C, H, W); `blocked` is what the backend likes
/// (kernels/planes.h). The network's input, its clean copy and its gradient are always plain fp32.
enum class Layout : std::uint8_t { plain, blocked };

/// Copied freely. Its memory is chosen when the Program is finished; until then only its shape is known.
struct Tensor {
  std::int32_t id = -1;  ///< -1: no tensor
  Shape shape;
  DType dtype = DType::f32;
  Layout layout = Layout::plain;

  explicit operator bool() const { return id >= 0; }
};

}  // namespace inocula
