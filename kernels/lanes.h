// Neighbouring channels side by side: maps and sums over pixels that keep 16 lanes in one vector register.
//
// A loop over pixels or window cells whose body is a loop over lanes: the CPU turns the inner one into
// single vector instructions, the GPU gives every lane a thread of its own.
#pragma once

#include <cstdint>

#include "kernels/for_each.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

inline constexpr int kMaxLanes = 16;

/// How many lanes a call handles, as a type: an array of `value` elements is one register or a few.
template <int kLanes>
struct LaneCount {
  static constexpr int value = kLanes;
};

/// Elements that a lane adds in float before the result goes to a double.
inline constexpr int kLaneChunk = 32;

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
  float sum[kChunks][kSums][kLanes] = {};
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
/// tree (chunks of 32 in float, the chunks in order in double) and hands the sums to done(l, double…).
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

/// A block's 256 threads are 16 lanes of 16 chunks.
template <class Done, class... F>
__device__ void sum_lanes(const Team&, int lanes, std::int64_t n, const Done& done, const F&... f) {
  static_assert(sizeof...(F) == 1 || sizeof...(F) == 2);
  constexpr int kSums = sizeof...(F);
  constexpr int kSlots = kRowThreads / kMaxLanes;
  __shared__ float chunk_sum[kSlots][kSums][kMaxLanes];
  const int lane = threadIdx.x % kMaxLanes;
  const int slot = threadIdx.x / kMaxLanes;
  double total[kSums] = {};
  for (std::int64_t round = 0; round < n; round += kSlots * kLaneChunk) {
    const std::int64_t begin = round + slot * kLaneChunk;
    const std::int64_t end = begin + kLaneChunk < n ? begin + kLaneChunk : n;
    float sum[kSums] = {};
    if (lane < lanes) {
      for (std::int64_t i = begin; i < end; ++i) {
        int s = 0;
        ((sum[s++] += f(i, lane)), ...);
      }
    }
    for (int s = 0; s < kSums; ++s) chunk_sum[slot][s][lane] = sum[s];
    __syncthreads();
    if (slot == 0)
      for (int chunk = 0; chunk < kSlots && round + chunk * kLaneChunk < n; ++chunk)
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
