// One register of floats, and what Winograd's kernels do with it, by name rather than by intrinsic.
//
// Every multiplication that is followed by an addition is fused explicitly, so that both instruction sets
// compute the same bits.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

#if defined(__AVX512F__)

struct Floats {
  __m512 v;
};
inline constexpr int kLanes = 16;
/// Vectors of outputs that one product computes side by side; with its tiles they fill the registers.
inline constexpr int kPanelVectors = 4;
inline constexpr int kProductRows[kPanelVectors + 1] = {0, 16, 12, 8, 6};

inline Floats load(const float* from) {
  return {_mm512_loadu_ps(from)};
}
inline void store(float* to, Floats v) {
  _mm512_storeu_ps(to, v.v);
}
/// Past the caches, a whole line at once: for what is larger than they are. publish() follows the last one.
inline void store_through(float* to, Floats v) {
  _mm512_stream_ps(to, v.v);
}
inline Floats broadcast(float v) {
  return {_mm512_set1_ps(v)};
}
/// a b + c, rounded once.
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// c - a b, rounded once.
inline Floats multiply_subtract(Floats a, Floats b, Floats c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
/// v where it is above 0, else 0; a NaN stays.
inline Floats positive_part(Floats v) {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v.v, _mm512_setzero_ps(), _CMP_NLE_UQ), v.v)};
}
/// Bit l of `bits` is set where lane l is positive.
inline void store_positive(std::uint8_t* bits, Floats v) {
  const __mmask16 mask = _mm512_cmp_ps_mask(v.v, _mm512_setzero_ps(), _CMP_GT_OQ);
  std::memcpy(bits, &mask, sizeof mask);
}
/// Lane l where bit l of `bits` is set, else 0.
inline Floats where_set(const std::uint8_t* bits, Floats v) {
  __mmask16 mask;
  std::memcpy(&mask, bits, sizeof mask);
  return {_mm512_maskz_mov_ps(mask, v.v)};
}

#else

struct Floats {
  __m256 v;
};
inline constexpr int kLanes = 8;
inline constexpr int kPanelVectors = 2;
inline constexpr int kProductRows[kPanelVectors + 1] = {0, 12, 6};

inline Floats load(const float* from) {
  return {_mm256_loadu_ps(from)};
}
inline void store(float* to, Floats v) {
  _mm256_storeu_ps(to, v.v);
}
/// Half a line is no gain: as `store`.
inline void store_through(float* to, Floats v) {
  _mm256_storeu_ps(to, v.v);
}
inline Floats broadcast(float v) {
  return {_mm256_set1_ps(v)};
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
inline Floats multiply_subtract(Floats a, Floats b, Floats c) {
  return {_mm256_fnmadd_ps(a.v, b.v, c.v)};
}
inline Floats positive_part(Floats v) {
  return {_mm256_and_ps(v.v, _mm256_cmp_ps(v.v, _mm256_setzero_ps(), _CMP_NLE_UQ))};
}
inline void store_positive(std::uint8_t* bits, Floats v) {
  *bits = static_cast<std::uint8_t>(_mm256_movemask_ps(_mm256_cmp_ps(v.v, _mm256_setzero_ps(), _CMP_GT_OQ)));
}
inline Floats where_set(const std::uint8_t* bits, Floats v) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(*bits), bit), bit);
  return {_mm256_and_ps(v.v, _mm256_castsi256_ps(set))};
}

#endif

inline Floats operator+(Floats a, Floats b) {
  return {a.v + b.v};
}
inline Floats operator-(Floats a, Floats b) {
  return {a.v - b.v};
}
inline Floats operator*(Floats a, Floats b) {
  return {a.v * b.v};
}
/// What this thread stored is there for others.
inline void publish() {
  _mm_sfence();
}
/// A transform's constant in every lane; the second argument says of which type.
inline Floats constant(double v, Floats) {
  return broadcast(static_cast<float>(v));
}

INOCULA_END_TARGET
