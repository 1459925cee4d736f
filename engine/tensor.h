// A handle to an array inside a Program: what it is, never where it is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/shape.h"
#include "kernels/element.h"

namespace inocula {

/// bf16 is for activations in Layout::blocked alone.
enum class DType : std::uint8_t { f32, bf16, i32, bits, bytes };

/// Of an activation that is stored in this element.
inline DType dtype_of(Element e) {
  return e == Element::bf16 ? DType::bf16 : DType::f32;
}

/// How activations lie in memory. `plain` is row-major (N, C, H, W); `blocked` is what the backend likes
/// (kernels/planes.h). The network's input, its clean copy and its gradient are always plain fp32.
enum class Layout : std::uint8_t { plain, blocked };

/// Copied freely. Its memory is chosen when the Program is finished; until then only its shape is known.
struct Tensor {
  std::int32_t id = -1;  ///< -1: no tensor
  Shape shape;
  DType dtype = DType::f32;
  Layout layout = Layout::plain;
  std::size_t offset = 0;  ///< bytes: where a part of a larger tensor begins (Recorder::part)

  explicit operator bool() const { return id >= 0; }
};

}  // namespace inocula
