// Random numbers as a function: Philox4x32-10, counter in, four words out; no state anywhere.
//
// Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Test vectors of the
// authors' Random123 distribution (kat_vectors):
//   counter 00000000 x4, key 00000000 x2             -> 6627e8d5 e169c58d bc57ac4c 9b00dbd8
//   counter ffffffff x4, key ffffffff x2             -> 408f276d 41c83b0e a20bc7c6 6d5451fd
//   counter 243f6a88 85a308d3 13198a2e 03707344,
//   key     a4093822 299f31d0                        -> d16cfe09 94fdcceb 5001e420 24126ea1
#pragma once

#include <cstdint>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

struct Philox4 {
  std::uint32_t w[4];
};

inline constexpr int kPhiloxRounds = 10;
inline constexpr std::uint64_t kPhiloxFactor0 = 0xD2511F53ull, kPhiloxFactor1 = 0xCD9E8D57ull;
inline constexpr std::uint32_t kPhiloxKeyStep0 = 0x9E3779B9u, kPhiloxKeyStep1 = 0xBB67AE85u;

INOCULA_HD inline Philox4 philox4x32(Philox4 counter, std::uint32_t key0, std::uint32_t key1) {
#if defined(__GNUC__) && !defined(__CUDACC__)
#pragma GCC unroll 10
#endif
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const std::uint64_t p0 = kPhiloxFactor0 * counter.w[0];
    const std::uint64_t p1 = kPhiloxFactor1 * counter.w[2];
    counter = {{static_cast<std::uint32_t>(p1 >> 32) ^ counter.w[1] ^ key0, static_cast<std::uint32_t>(p1),
                static_cast<std::uint32_t>(p0 >> 32) ^ counter.w[3] ^ key1, static_cast<std::uint32_t>(p0)}};
    key0 += kPhiloxKeyStep0;
    key1 += kPhiloxKeyStep1;
  }
  return counter;
}

INOCULA_END_TARGET
