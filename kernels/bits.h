// Sign bits of activations: packed eight to a byte, and used to let values pass.
//
// A compiler turns the plain loops into one shift and one store per bit; compare-into-mask instructions
// do 16.
#pragma once

#include <cstdint>

#include "kernels/element.h"
#include "kernels/for_each.h"
#include "kernels/octet.h"
#include "kernels/target.h"

#if !defined(INOCULA_CUDA) && (defined(__AVX512F__) || defined(__AVX2__))
#include <immintrin.h>
#endif

INOCULA_BEGIN_TARGET

INOCULA_HD inline bool bit_at(const std::uint8_t* bits, std::int64_t i) {
  return (bits[i / 8] >> (i % 8) & 1) != 0;
}

#if !defined(INOCULA_CUDA)

#if !defined(__AVX512F__) && !defined(__AVX2__)

/// Bit l of the result is set where v[l] > 0, l in [0, 16).
template <class T>
std::uint32_t positive16(const T* v) {
  std::uint32_t bits = 0;
  for (int l = 0; l < 16; ++l) bits |= static_cast<std::uint32_t>(to_float(v[l]) > 0) << l;
  return bits;
}

/// Zeroes v[l] where bit l is clear, l in [0, 8).
template <class T>
void keep8(T* v, std::uint32_t bits) {
  for (int l = 0; l < 8; ++l) v[l] = (bits >> l & 1) != 0 ? v[l] : T{};
}

#else

/// A bf16 is positive where its bits, as a signed number, are above 0 and not above infinity's.
constexpr std::int16_t kBf16Infinity = 0x7F80;

inline std::uint32_t positive16(const float* v) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(_mm512_loadu_ps(v), _mm512_setzero_ps(), _CMP_GT_OQ);
#elif defined(__AVX2__)
  const __m256 zero = _mm256_setzero_ps();
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(v), zero, _CMP_GT_OQ));
  const int high = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(v + 8), zero, _CMP_GT_OQ));
  return static_cast<std::uint32_t>(low | high << 8);
#endif
}
inline std::uint32_t positive16(const Bf16* v) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(v));
  const __m256i above = _mm256_cmpgt_epi16(bits, _mm256_setzero_si256());
  const __m256i nan = _mm256_cmpgt_epi16(bits, _mm256_set1_epi16(kBf16Infinity));
  const __m256i positive = _mm256_andnot_si256(nan, above);
  // Packing halves 16 bits to 8; the middle quarters change places.
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(positive, positive), 0b11'01'10'00);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes)) & 0xFFFFu;
}

inline void keep8(float* v, std::uint32_t bits) {
  const __m256i lane_bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane_bit);
  const __m256i keep = _mm256_cmpeq_epi32(set, lane_bit);
  _mm256_storeu_ps(v, _mm256_and_ps(_mm256_loadu_ps(v), _mm256_castsi256_ps(keep)));
}
inline void keep8(Bf16* v, std::uint32_t bits) {
  const __m128i lane_bit = _mm_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128);
  const __m128i set = _mm_and_si128(_mm_set1_epi16(static_cast<std::int16_t>(bits)), lane_bit);
  auto* const at = reinterpret_cast<__m128i*>(v);
  _mm_storeu_si128(at, _mm_and_si128(_mm_loadu_si128(at), _mm_cmpeq_epi16(set, lane_bit)));
}

#endif

/// Zeroes v[l] where bit l is clear, l in [0, 16).
template <class T>
void keep16(T* v, std::uint32_t bits) {
  keep8(v, bits);
  keep8(v + 8, bits >> 8);
}
#if defined(__AVX512F__)
template <>
inline void keep16(float* v, std::uint32_t bits) {
  _mm512_storeu_ps(v, _mm512_maskz_loadu_ps(static_cast<__mmask16>(bits), v));
}
#endif

/// Writes the n sign bits of v to `bits`, whole bytes; bits past n in the last byte are 0.
template <class T>
void pack_positive_bits(const Team&, const T* v, std::int64_t n, std::uint8_t* bits) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const std::uint32_t word = positive16(v + i);
    bits[i / 8] = static_cast<std::uint8_t>(word);
    bits[i / 8 + 1] = static_cast<std::uint8_t>(word >> 8);
  }
  for (; i < n; i += 8) {
    std::uint32_t word = 0;
    for (int l = 0; l < 8 && i + l < n; ++l) word |= static_cast<std::uint32_t>(to_float(v[i + l]) > 0) << l;
    bits[i / 8] = static_cast<std::uint8_t>(word);
  }
}

/// Zeroes the v[i] of n whose bit is clear.
template <class T>
void keep_where_set(T* v, std::int64_t n, const std::uint8_t* bits) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) keep16(v + i, bits[i / 8] | static_cast<std::uint32_t>(bits[i / 8 + 1]) << 8);
  for (; i < n; ++i) v[i] = bit_at(bits, i) ? v[i] : T{};
}

/// Zeroes v[l] where bit first + l is clear, l in [0, kLanes).
template <int kLanes>
inline void keep_lanes(float* v, const std::uint8_t* bits, std::int64_t first) {
  if (kLanes == 16 && first % 8 == 0) {
    keep16(v, bits[first / 8] | static_cast<std::uint32_t>(bits[first / 8 + 1]) << 8);
  } else if (kLanes == 8 && first % 8 == 0) {
    keep8(v, bits[first / 8]);
  } else {
    for (int l = 0; l < kLanes; ++l) v[l] = bit_at(bits, first + l) ? v[l] : 0.0f;
  }
}

#else  // CUDA

template <int kLanes>
__device__ inline void keep_lanes(float* v, const std::uint8_t* bits, std::int64_t first) {
  for (int l = 0; l < kLanes; ++l) v[l] = bit_at(bits, first + l) ? v[l] : 0.0f;
}

/// Called by whole warps for 32 consecutive i that start at a multiple of 32; writes the bits of those below
/// n.
__device__ inline void pack_bit(bool positive, std::int64_t i, std::int64_t n, std::uint8_t* bits) {
  const unsigned word = __ballot_sync(0xFFFFFFFFu, i < n && positive);
  if (i % 8 == 0 && i < n) bits[i / 8] = static_cast<std::uint8_t>(word >> (threadIdx.x % 32));
}

/// `v` is aligned to 16 bytes.
template <class T>
__device__ void pack_positive_bits(const Team& team, const T* v, std::int64_t n, std::uint8_t* bits) {
  team.each_group<kOctet>(n, [=](std::int64_t i) {
    float octet[kOctet] = {};
    if (i + kOctet <= n) {
      load_octet(v + i, octet);
    } else {
      for (int l = 0; i + l < n; ++l) octet[l] = to_float(v[i + l]);
    }
    bits[i / kOctet] = static_cast<std::uint8_t>(positive_octet(octet));
  });
}

#endif

INOCULA_END_TARGET
