// The random numbers of neighbouring blocks together: vectors of counters on the CPU, one block a call on a
// GPU.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/draw.h"
#include "kernels/normal.h"
#include "kernels/octet.h"
#include "kernels/target.h"

#if defined(__SSE2__) && !defined(INOCULA_CUDA)
#include <immintrin.h>
#endif

INOCULA_BEGIN_TARGET

#if !defined(INOCULA_CUDA)
inline constexpr int kBlocksAbreast = 16;
#else
inline constexpr int kBlocksAbreast = 1;
#endif
inline constexpr int kWordsAbreast = 4 * kBlocksAbreast;

#if !defined(INOCULA_CUDA)

// A word in each 64-bit lane: there the processor's 32-bit product has its two halves where the next round
// takes them from, and nothing is shuffled. A lane's upper half is arbitrary, as no product reads it.
#if defined(__AVX512F__)
inline constexpr int kWordLanes = 8;
#elif defined(__AVX2__)
inline constexpr int kWordLanes = 4;
#else
inline constexpr int kWordLanes = 2;
#endif
using WordLanes [[gnu::vector_size(kWordLanes * sizeof(std::uint64_t))]] = std::uint64_t;

inline constexpr std::uint64_t kLowerHalf = 0xFFFFFFFFull;

/// Products of the lanes' lower halves.
inline WordLanes multiply_words(WordLanes a, WordLanes b) {
#if defined(__AVX512F__)
  // g++ 12 takes the unmasked intrinsic's operand for uninitialised; this mask leaves no trace in the code.
  return reinterpret_cast<WordLanes>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<WordLanes>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<WordLanes>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a & kLowerHalf) * (b & kLowerHalf);
#endif
}

#endif

/// word[4 b + w] = draw4(seed, purpose, sub, step, sample, first + b).w[w] for b in [0, kBlocksAbreast).
INOCULA_HD inline void draw_blocks(std::uint64_t seed, Draw purpose, std::uint32_t sub, std::uint32_t step,
                                   std::uint32_t sample, std::uint32_t first, std::uint32_t* word) {
#if defined(INOCULA_CUDA)
  const Philox4 words = draw4(seed, purpose, sub, step, sample, first);
  for (int w = 0; w < 4; ++w) word[w] = words.w[w];
#else
  // Two independent chains hide the products' latency.
  constexpr int kChains = 2;
  constexpr int kBlocks = kChains * kWordLanes;
  const std::uint32_t tag = draw_tag(purpose, sub);
  for (int b = 0; b < kBlocksAbreast; b += kBlocks) {
    std::uint64_t block[kBlocks];
    for (int i = 0; i < kBlocks; ++i) block[i] = first + static_cast<std::uint32_t>(b + i);
    WordLanes counter[kChains][4];
    for (int chain = 0; chain < kChains; ++chain) {
      std::memcpy(&counter[chain][0], block + chain * kWordLanes, sizeof(WordLanes));
      counter[chain][1] = WordLanes{} + sample;
      counter[chain][2] = WordLanes{} + step;
      counter[chain][3] = WordLanes{} + tag;
    }
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < kPhiloxRounds; ++round) {
#pragma GCC unroll 2
      for (WordLanes(&c)[4] : counter) {
        const WordLanes p0 = multiply_words(c[0], WordLanes{} + kPhiloxFactor0);
        const WordLanes p1 = multiply_words(c[2], WordLanes{} + kPhiloxFactor1);
        c[0] = (p1 >> 32) ^ c[1] ^ key0;
        c[1] = p1;
        c[2] = (p0 >> 32) ^ c[3] ^ key1;
        c[3] = p0;
      }
      key0 += kPhiloxKeyStep0;
      key1 += kPhiloxKeyStep1;
    }
    // Words 0 and 1 of a block, then 2 and 3: on this processor's order of bytes.
    std::uint64_t pair[2][kBlocks];
    for (int chain = 0; chain < kChains; ++chain) {
      for (int half = 0; half < 2; ++half) {
        const WordLanes both = (counter[chain][2 * half] & kLowerHalf) | (counter[chain][2 * half + 1] << 32);
        std::memcpy(pair[half] + chain * kWordLanes, &both, sizeof both);
      }
    }
    std::uint64_t interleaved[2 * kBlocks];
#pragma omp simd
    for (int i = 0; i < kBlocks; ++i) {
      interleaved[2 * i] = pair[0][i];
      interleaved[2 * i + 1] = pair[1][i];
    }
    std::memcpy(word + 4 * b, interleaved, sizeof interleaved);
  }
#endif
}

/// A sample's stream of random numbers for one purpose and step.
struct RandomStream {
  std::uint64_t seed;
  Draw purpose;
  std::uint32_t sub, step, sample;

  /// The kWordsAbreast words from number `first` on, a multiple of 4.
  INOCULA_DEVICE void words(std::int64_t first, std::uint32_t* word) const {
    draw_blocks(seed, purpose, sub, step, sample, static_cast<std::uint32_t>(first / 4), word);
  }

  /// The same number of standard normals.
  INOCULA_DEVICE void normals(std::int64_t first, float* z) const {
    std::uint32_t word[kWordsAbreast];
    words(first, word);
#pragma omp simd
    for (int pair = 0; pair < kWordsAbreast / 2; ++pair) {
      const SinCos both = normal_pair(word[2 * pair], word[2 * pair + 1]);
      z[2 * pair] = both.sin;
      z[2 * pair + 1] = both.cos;
    }
  }
};

/// How many of the kWordsAbreast elements from `first` on lie below `cols`.
INOCULA_DEVICE inline int count_abreast(std::int64_t first, std::int64_t cols) {
  return static_cast<int>(cols - first < kWordsAbreast ? cols - first : kWordsAbreast);
}

/// to[first + l] = f(l, from[first + l]) for the kWordsAbreast elements from `first` on that lie below
/// `cols`; on a GPU in 16-byte accesses where the row is aligned to them.
template <class F>
INOCULA_DEVICE void map_abreast(const float* from, float* to, std::int64_t first, std::int64_t cols,
                                const F& f) {
  const int count = count_abreast(first, cols);
#if defined(INOCULA_CUDA)
  static_assert(kWordsAbreast * sizeof(float) == sizeof(Sixteen));
  const auto addresses =
      reinterpret_cast<std::uintptr_t>(from + first) | reinterpret_cast<std::uintptr_t>(to + first);
  if (count == kWordsAbreast && addresses % sizeof(Sixteen) == 0) {
    float v[kWordsAbreast];
    load_sixteen(from + first, v);
    for (int l = 0; l < kWordsAbreast; ++l) v[l] = f(l, v[l]);
    store_sixteen(v, to + first);
    return;
  }
#endif
#pragma omp simd
  for (int l = 0; l < count; ++l) to[first + l] = f(l, from[first + l]);
}

INOCULA_END_TARGET
