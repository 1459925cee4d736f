// Eight neighbouring elements at once on a GPU: 16-byte accesses, and one byte of sign bits.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/element.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

inline constexpr int kOctet = 8;

/// What one access moves.
struct alignas(16) Sixteen {
  std::uint32_t word[4];
};

/// Four floats, to or from where they are aligned to 16 bytes.
INOCULA_HD inline void load_sixteen(const float* from, float* v) {
  const Sixteen all = *reinterpret_cast<const Sixteen*>(from);
  std::memcpy(v, &all, sizeof all);
}
INOCULA_HD inline void store_sixteen(const float* v, float* to) {
  Sixteen all;
  std::memcpy(&all, v, sizeof all);
  *reinterpret_cast<Sixteen*>(to) = all;
}

/// v[l] = from[l], l in [0, 8); `from` is aligned to 16 bytes.
INOCULA_HD inline void load_octet(const float* from, float (&v)[kOctet]) {
  load_sixteen(from, v);
  load_sixteen(from + 4, v + 4);
}
INOCULA_HD inline void load_octet(const Bf16* from, float (&v)[kOctet]) {
  const Sixteen all = *reinterpret_cast<const Sixteen*>(from);
  for (int l = 0; l < kOctet; ++l)
    v[l] = to_float(Bf16{static_cast<std::uint16_t>(all.word[l / 2] >> (l % 2 * 16))});
}

/// Bit l is set where v[l] > 0.
INOCULA_HD inline std::uint32_t positive_octet(const float (&v)[kOctet]) {
  std::uint32_t positive = 0;
  for (int l = 0; l < kOctet; ++l) {
    // By itself: g++ 12 under UndefinedBehaviorSanitizer shifts by a value never set where it stands in the
    // shift.
    const std::uint32_t bit = v[l] > 0 ? 1u : 0u;
    positive |= bit << l;
  }
  return positive;
}

/// to[l] = v[l]; the answer's bit l is set where what was stored is positive.
INOCULA_HD inline std::uint32_t store_octet(float* to, const float (&v)[kOctet]) {
  store_sixteen(v, to);
  store_sixteen(v + 4, to + 4);
  return positive_octet(v);
}
INOCULA_HD inline std::uint32_t store_octet(Bf16* to, const float (&v)[kOctet]) {
  Sixteen all = {};
  std::uint32_t positive = 0;
  for (int l = 0; l < kOctet; ++l) {
    Bf16 stored;
    store(&stored, v[l]);
    all.word[l / 2] |= static_cast<std::uint32_t>(stored.bits) << (l % 2 * 16);
    positive |= static_cast<std::uint32_t>(to_float(stored) > 0) << l;
  }
  *reinterpret_cast<Sixteen*>(to) = all;
  return positive;
}

INOCULA_END_TARGET
