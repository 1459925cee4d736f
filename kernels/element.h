// How one value of an activation is stored: as a float, or rounded to bf16.
//
// Arithmetic is always in float: a kernel widens what it loads and rounds what it stores, to the nearest,
// ties to even, on every target alike. Images, their gradients, logits, weights and statistics stay in float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/target.h"

namespace inocula {

enum class Element : std::uint8_t { f32, bf16 };

INOCULA_HD inline std::size_t element_bytes(Element e) {
  return e == Element::bf16 ? 2 : 4;
}

/// The upper half of a float: 8 bits of exponent, 7 of mantissa.
struct Bf16 {
  std::uint16_t bits;
};

}  // namespace inocula

INOCULA_BEGIN_TARGET

INOCULA_HD inline float to_float(float v) {
  return v;
}
INOCULA_HD inline float to_float(Bf16 v) {
  const std::uint32_t bits = static_cast<std::uint32_t>(v.bits) << 16;
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

INOCULA_HD inline void store(float* to, float v) {
  *to = v;
}
/// Rounds to the nearest, ties to even; a NaN stays a (quiet) NaN.
INOCULA_HD inline void store(Bf16* to, float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  const std::uint32_t rounded = bits + 0x7FFFu + (bits >> 16 & 1u);
  to->bits = static_cast<std::uint16_t>(v != v ? 0x7FC0u : rounded >> 16);
}

/// Stands for a type of storage where an argument chooses a template.
template <class T>
struct Stored {
  using Type = T;
};

/// Calls body(Stored<T>{}) with the type that holds an `e`: a launch chooses its body here, once.
template <class Body>
void with_element(Element e, const Body& body) {
  e == Element::bf16 ? body(Stored<Bf16>{}) : body(Stored<float>{});
}

INOCULA_END_TARGET
