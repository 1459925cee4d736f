// Neighbouring channels side by side: maps and sums over pixels that keep 16 lanes in one vector register.
//
// A loop over pixels or window cells whose body is a loop over lanes: the CPU turns the inner one into
// single vector instructions, the GPU gives every lane a thread of its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/element.h"
#include "kernels/for_each.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

inline constexpr int kMaxLanes = 16;

/// How many groups of 16 lanes n neighbours are, the last one perhaps of fewer: lanes_from(its first, n).
INOCULA_HD inline std::int64_t lane_groups(std::int64_t n) {
  return (n + kMaxLanes - 1) / kMaxLanes;
}
INOCULA_HD inline int lanes_from(std::int64_t first, std::int64_t n) {
  return static_cast<int>(n - first < kMaxLanes ? n - first : kMaxLanes);
}

/// How many lanes a call handles, as a type: an array of `value` elements is one register or a few.
template <int kLanes>
struct LaneCount {
  static constexpr int value = kLanes;
};

/// Elements that a lane adds in the functions' own type before the result goes to a double.
inline constexpr int kLaneChunk = 32;

/// What functions f(i, l) that are summed together return: float or double.
template <class... F>
using LaneValue = decltype((... + std::declval<const F&>()(std::int64_t{}, 0)));

#if !defined(INOCULA_CUDA)

// A compiler gives a loop over numbers of 16 and of 32 bits the lanes of the narrow ones, twice as many as a
// group of floats has: what fills a register exactly is written out.
#if defined(__AVX512F__)
inline constexpr int kWidest = 16;
#else
inline constexpr int kWidest = 8;
#endif

/// kLanes numbers side by side.
template <class T, int kLanes>
using Vector [[gnu::vector_size(kLanes * sizeof(T))]] = T;

/// v[l] = from[l], widened, for l in [0, kLanes).
template <int kLanes>
inline void widen(const Bf16* from, float* v) {
  if constexpr (kLanes > kWidest) {
    widen<kWidest>(from, v);
    widen<kLanes - kWidest>(from + kWidest, v + kWidest);
  } else {
    Vector<std::uint16_t, kLanes> narrow;
    std::memcpy(&narrow, from, sizeof narrow);
    const auto bits = __builtin_convertvector(narrow, Vector<std::uint32_t, kLanes>) << 16;
    std::memcpy(v, &bits, sizeof bits);
  }
}

/// to[l] = v[l], rounded as `store` does, for l in [0, kLanes).
template <int kLanes>
inline void round_lanes(const float* v, Bf16* to) {
  if constexpr (kLanes > kWidest) {
    round_lanes<kWidest>(v, to);
    round_lanes<kLanes - kWidest>(v + kWidest, to + kWidest);
  } else {
    Vector<std::uint32_t, kLanes> bits;
    std::memcpy(&bits, v, sizeof bits);
    const auto rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    const auto magnitude = __builtin_convertvector(bits & 0x7FFFFFFFu, Vector<std::int32_t, kLanes>);
    const auto upper = magnitude > 0x7F800000 ? Vector<std::uint32_t, kLanes>{} + 0x7FC0u : rounded;
    const auto narrow = __builtin_convertvector(upper, Vector<std::uint16_t, kLanes>);
    std::memcpy(to, &narrow, sizeof narrow);
  }
}

#endif

/// The kLanes values from `from` on as floats: where they are, or widened into `space`.
template <int kLanes>
INOCULA_DEVICE inline const float* load_lanes(const float* from, float*) {
  return from;
}
template <int kLanes>
INOCULA_DEVICE inline const float* load_lanes(const Bf16* from, float* space) {
#if !defined(INOCULA_CUDA)
  widen<kLanes>(from, space);
#else
  for (int l = 0; l < kLanes; ++l) space[l] = to_float(from[l]);
#endif
  return space;
}

/// to[l] = v[l] for l in [0, kLanes).
template <int kLanes>
INOCULA_DEVICE inline void store_lanes(const float* v, float* to) {
#pragma omp simd
  for (int l = 0; l < kLanes; ++l) to[l] = v[l];
}
template <int kLanes>
INOCULA_DEVICE inline void store_lanes(const float* v, Bf16* to) {
#if !defined(INOCULA_CUDA)
  round_lanes<kLanes>(v, to);
#else
  for (int l = 0; l < kLanes; ++l) store(to + l, v[l]);
#endif
}

#if !defined(INOCULA_CUDA)

/// Covers every (o, i), o in [0, outer), i in [0, inner), by calls f(LaneCount<k>{}, o, i): k elements from i
/// on.
template <class F>
void each_lanes(const Team&, std::int64_t outer, std::int64_t inner, F&& f) {
  for (std::int64_t o = 0; o < outer; ++o) {
    std::int64_t i = 0;
    for (; i + 16 <= inner; i += 16) f(LaneCount<16>{}, o, i);
    if (i + 8 <= inner) {
      f(LaneCount<8>{}, o, i);
      i += 8;
    }
    for (; i < inner; ++i) f(LaneCount<1>{}, o, i);
  }
}

/// Adds kChunks chunks of `count` elements each to the totals; independent chunks hide the adder's latency.
template <int kLanes, int kChunks, int kSums, class... F>
void add_chunks(std::int64_t first, int count, int lanes, double (&total)[kSums][kLanes], const F&... f) {
  LaneValue<F...> sum[kChunks][kSums][kLanes] = {};
  for (int i = 0; i < count; ++i) {
    for (int chunk = 0; chunk < kChunks; ++chunk) {
#pragma omp simd
      for (int l = 0; l < lanes; ++l) {
        int s = 0;
        ((sum[chunk][s++][l] += f(first + chunk * kLaneChunk + i, l)), ...);
      }
    }
  }
  for (int chunk = 0; chunk < kChunks; ++chunk)
    for (int s = 0; s < kSums; ++s)
      for (int l = 0; l < lanes; ++l) total[s][l] += sum[chunk][s][l];
}

template <int kLanes, class Done, class... F>
void sum_fixed_lanes(int lanes, std::int64_t n, const Done& done, const F&... f) {
  constexpr int kAbreast = 4;
  double total[sizeof...(F)][kLanes] = {};
  std::int64_t i = 0;
  for (; i + kAbreast * kLaneChunk <= n; i += kAbreast * kLaneChunk)
    add_chunks<kLanes, kAbreast>(i, kLaneChunk, lanes, total, f...);
  for (; i + kLaneChunk <= n; i += kLaneChunk) add_chunks<kLanes, 1>(i, kLaneChunk, lanes, total, f...);
  if (i < n) add_chunks<kLanes, 1>(i, static_cast<int>(n - i), lanes, total, f...);
  for (int l = 0; l < lanes; ++l) {
    const double(&sums)[sizeof...(F)][kLanes] = total;
    if constexpr (sizeof...(F) == 1) {
      done(l, sums[0][l]);
    } else {
      done(l, sums[0][l], sums[1][l]);
    }
  }
}

/// For each lane l in [0, lanes), lanes <= 16, sums one or two functions f(i, l) over i in [0, n) by a fixed
/// tree (chunks of 32 in the type that the functions return, the chunks in order in double) and hands the
/// sums to done(l, double…).
template <class Done, class... F>
void sum_lanes(const Team&, int lanes, std::int64_t n, const Done& done, const F&... f) {
  static_assert(sizeof...(F) == 1 || sizeof...(F) == 2);
  switch (lanes) {
    case 16:
      return sum_fixed_lanes<16>(16, n, done, f...);
    case 8:
      return sum_fixed_lanes<8>(8, n, done, f...);
    default:
      return sum_fixed_lanes<kMaxLanes>(lanes, n, done, f...);
  }
}

#else  // CUDA

template <class F>
__device__ void each_lanes(const Team& team, std::int64_t outer, std::int64_t inner, F&& f) {
  team.each(outer, inner, [&](std::int64_t o, std::int64_t i) { f(LaneCount<1>{}, o, i); });
}

/// Sixteen neighbouring threads are the lanes of one chunk; a team takes as many chunks a round as it has
/// sixteens.
template <class Done, class... F>
__device__ void sum_lanes(const Team&, int lanes, std::int64_t n, const Done& done, const F&... f) {
  static_assert(sizeof...(F) == 1 || sizeof...(F) == 2);
  constexpr int kSums = sizeof...(F);
  using Value = LaneValue<F...>;
  __shared__ Value chunk_sum[kRowThreads / kMaxLanes][kSums][kMaxLanes];
  const int lane = threadIdx.x % kMaxLanes;
  const int slot = threadIdx.x / kMaxLanes;
  const int slots = Team::threads() / kMaxLanes;
  double total[kSums] = {};
  for (std::int64_t round = 0; round < n; round += slots * kLaneChunk) {
    const std::int64_t begin = round + slot * kLaneChunk;
    const std::int64_t end = begin + kLaneChunk < n ? begin + kLaneChunk : n;
    Value sum[kSums] = {};
    if (lane < lanes) {
      for (std::int64_t i = begin; i < end; ++i) {
        int s = 0;
        ((sum[s++] += f(i, lane)), ...);
      }
    }
    for (int s = 0; s < kSums; ++s) chunk_sum[slot][s][lane] = sum[s];
    __syncthreads();
    if (slot == 0)
      for (int chunk = 0; chunk < slots && round + chunk * kLaneChunk < n; ++chunk)
        for (int s = 0; s < kSums; ++s) total[s] += chunk_sum[chunk][s][lane];
    __syncthreads();
  }
  if (slot == 0 && lane < lanes) {
    if constexpr (kSums == 1) {
      done(lane, total[0]);
    } else {
      done(lane, total[0], total[1]);
    }
  }
  __syncthreads();
}

#endif

INOCULA_END_TARGET
