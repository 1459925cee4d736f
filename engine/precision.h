// In what numbers a network holds its activations.
#pragma once

#include <cstdint>

#include "kernels/element.h"

namespace inocula {

/// `bf16`: blocked activations and their gradients are stored in bf16 and convolutions multiply bf16 numbers;
/// all sums, and everything else that is stored (weights, their gradients, statistics, images, logits), are
/// as in `fp32`.
enum class Precision : std::uint8_t { fp32, bf16 };

inline const char* to_string(Precision p) {
  return p == Precision::bf16 ? "bf16" : "fp32";
}

/// Of blocked activations.
inline Element element_of(Precision p) {
  return p == Precision::bf16 ? Element::bf16 : Element::f32;
}

}  // namespace inocula
