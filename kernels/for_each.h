// The two launch shapes: one call per element, and one team per row (sum a row, then map it).
//
// On the CPU a launch is an OpenMP loop that the compiler vectorises; on the GPU a grid. A team's sum is
// one fixed tree on every target: 16 lanes over pieces of 1024 elements, the pieces in order in double. Its
// value depends on the row alone: not on threads, batch or target. The lanes add in the type that the summed
// function returns: float where rounding of 1e-6 is welcome to speed, double where a promise rests on the
// sum.
#pragma once

#include <cstdint>

#include "kernels/queue.h"
#include "kernels/target.h"

#if defined(INOCULA_CUDA)
#include <cuda_runtime.h>
#endif

INOCULA_BEGIN_TARGET

inline constexpr int kSumLanes = 16;
inline constexpr int kSumPiece = 1024;

/// Elements below which a launch stays on the calling CPU thread: waking the others costs more.
inline constexpr std::int64_t kSerialElements = 4096;

#if !defined(INOCULA_CUDA)

/// Sum of 16 lanes: lane l meets l + 8, l + 4, l + 2, l + 1.
template <class V>
inline V fold_lanes(const V* lane) {
  V half[8];
  for (int i = 0; i < 8; ++i) half[i] = lane[i] + lane[i + 8];
  for (int i = 0; i < 4; ++i) half[i] += half[i + 4];
  return (half[0] + half[2]) + (half[1] + half[3]);
}

/// One CPU thread that owns a row.
class Team {
 public:
  /// Calls f(i) for i in [0, n), in any order; f must not depend on another call's writes.
  template <class F>
  void each(std::int64_t n, F&& f) const {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) f(i);
  }

  /// Calls f(o, i) for o in [0, outer), i in [0, inner), in any order; neighbouring i are neighbouring lanes.
  template <class F>
  void each(std::int64_t outer, std::int64_t inner, F&& f) const {
    for (std::int64_t o = 0; o < outer; ++o) {
#pragma omp simd
      for (std::int64_t i = 0; i < inner; ++i) f(o, i);
    }
  }

  /// Calls f(i) for i = 0, kGroup, 2 kGroup, … below n, in any order: f sees to the elements from i on.
  template <int kGroup, class F>
  void each_group(std::int64_t n, F&& f) const {
    for (std::int64_t i = 0; i < n; i += kGroup) f(i);
  }

  /// Sum of f(i), a float or a double, over [0, n) by the fixed tree.
  template <class F>
  double sum(std::int64_t n, F&& f) const {
    using Value = decltype(f(std::int64_t{}));
    double total = 0;
    for (std::int64_t piece = 0; piece < n; piece += kSumPiece) {
      Value lane[kSumLanes] = {};
      const std::int64_t count = n - piece < kSumPiece ? n - piece : kSumPiece;
      const std::int64_t whole = count / kSumLanes * kSumLanes;
      for (std::int64_t i = 0; i < whole; i += kSumLanes) {
#pragma omp simd
        for (int l = 0; l < kSumLanes; ++l) lane[l] += f(piece + i + l);
      }
      for (std::int64_t i = whole; i < count; ++i) lane[i - whole] += f(piece + i);
      total += fold_lanes(lane);
    }
    return total;
  }

  /// Largest f(i), a float or a double, over [0, n), at least `floor`; a NaN is passed over.
  template <class F, class Value>
  Value largest(std::int64_t n, Value floor, F&& f) const {
    Value lane[kSumLanes];
    for (Value& l : lane) l = floor;
    const std::int64_t whole = n / kSumLanes * kSumLanes;
    for (std::int64_t i = 0; i < whole; i += kSumLanes) {
#pragma omp simd
      for (int l = 0; l < kSumLanes; ++l) {
        const Value v = f(i + l);
        lane[l] = v > lane[l] ? v : lane[l];
      }
    }
    for (std::int64_t i = whole; i < n; ++i) {
      const Value v = f(i);
      lane[i - whole] = v > lane[i - whole] ? v : lane[i - whole];
    }
    Value result = floor;
    for (const Value l : lane) result = l > result ? l : result;
    return result;
  }

  /// Lowest i in [0, n) with f(i), or n where there is none.
  template <class F>
  std::int64_t first(std::int64_t n, F&& f) const {
    for (std::int64_t i = 0; i < n; ++i)
      if (f(i)) return i;
    return n;
  }

  /// True for exactly one member of the team: for a row's single results.
  bool leads() const {
    return true;
  }

  /// What any member wrote before is seen by all members after.
  void barrier() const {}
};

/// Calls f(i) for i in [0, n), in any order.
template <class F>
void for_each(const Queue& queue, std::int64_t n, F f) {
  // A private copy per thread: the compiler then sees that no store through f's pointers changes f itself.
#pragma omp parallel for simd schedule(static) num_threads(queue.threads) \
    firstprivate(f) if (parallel                                          \
                        : n > kSerialElements)
  for (std::int64_t i = 0; i < n; ++i) f(i);
}

/// Calls f(row, team) for every row in [0, rows), in any order. `row_cost` is about how many elements a row
/// touches: small launches stay on the calling thread, and on a GPU many small rows have small teams.
template <class F>
void for_each_row(const Queue& queue, std::int64_t rows, std::int64_t row_cost, F f) {
#pragma omp parallel for schedule(static) num_threads(queue.threads) \
    firstprivate(f) if (rows > 1 && rows * row_cost > kSerialElements)
  for (std::int64_t row = 0; row < rows; ++row) f(row, Team{});
}

#else  // CUDA

inline constexpr int kWarpThreads = 32;
/// The largest team.
inline constexpr int kRowThreads = 256;
/// A row that touches as many elements for each thread of the largest team has that team: see team_threads.
inline constexpr int kThreadElements = 32;

/// One thread block, whole warps, that owns a row; all its threads call every member function together. What
/// they answer does not depend on how many there are.
class Team {
 public:
  __device__ static int threads() { return static_cast<int>(blockDim.x); }

  template <class F>
  __device__ void each(std::int64_t n, F&& f) const {
    for (std::int64_t i = threadIdx.x; i < n; i += threads()) f(i);
    __syncthreads();
  }

  template <class F>
  __device__ void each(std::int64_t outer, std::int64_t inner, F&& f) const {
    const std::int64_t n = outer * inner;
    for (std::int64_t i = threadIdx.x; i < n; i += threads()) {
      // A row has fewer than 2^32 elements; the 32-bit division is many times faster.
      const std::uint32_t o = static_cast<std::uint32_t>(i) / static_cast<std::uint32_t>(inner);
      f(std::int64_t{o}, i - o * inner);
    }
    __syncthreads();
  }

  template <int kGroup, class F>
  __device__ void each_group(std::int64_t n, F&& f) const {
    for (std::int64_t i = std::int64_t{threadIdx.x} * kGroup; i < n; i += threads() * kGroup) f(i);
    __syncthreads();
  }

  /// Sixteen neighbouring threads are the lanes of one piece; a team takes as many pieces a round as it has
  /// sixteens.
  template <class F>
  __device__ double sum(std::int64_t n, F&& f) const {
    using Value = decltype(f(std::int64_t{}));
    __shared__ Value piece_sum[kRowThreads / kSumLanes];
    __shared__ double total;
    const int lane = threadIdx.x % kSumLanes;
    const int slot = threadIdx.x / kSumLanes;
    const int pieces = threads() / kSumLanes;
    if (threadIdx.x == 0) total = 0;
    for (std::int64_t first = 0; first < n; first += std::int64_t{pieces} * kSumPiece) {
      const std::int64_t begin = first + std::int64_t{slot} * kSumPiece;
      const std::int64_t end = begin + kSumPiece < n ? begin + kSumPiece : n;
      Value sum = 0;
      for (std::int64_t i = begin + lane; i < end; i += kSumLanes) sum += f(i);
      // The same tree as the CPU's fold_lanes: lane l meets l + 8, l + 4, l + 2, l + 1.
      for (int distance = kSumLanes / 2; distance > 0; distance /= 2)
        sum += __shfl_down_sync(0xFFFFFFFFu, sum, distance, kSumLanes);
      if (lane == 0) piece_sum[slot] = begin < n ? sum : Value{0};
      __syncthreads();
      if (threadIdx.x == 0)
        for (int p = 0; p < pieces && first + std::int64_t{p} * kSumPiece < n; ++p) total += piece_sum[p];
      __syncthreads();
    }
    __syncthreads();
    const double result = total;
    __syncthreads();
    return result;
  }

  template <class F, class Value>
  __device__ Value largest(std::int64_t n, Value floor, F&& f) const {
    __shared__ Value warp_largest[kRowThreads / kWarpThreads];
    Value v = floor;
    for (std::int64_t i = threadIdx.x; i < n; i += threads()) {
      const Value w = f(i);
      v = w > v ? w : v;
    }
    for (int distance = kWarpThreads / 2; distance > 0; distance /= 2) {
      const Value w = __shfl_down_sync(0xFFFFFFFFu, v, distance);
      v = w > v ? w : v;
    }
    if (threadIdx.x % kWarpThreads == 0) warp_largest[threadIdx.x / kWarpThreads] = v;
    __syncthreads();
    v = floor;
    for (int warp = 0; warp < threads() / kWarpThreads; ++warp)
      v = warp_largest[warp] > v ? warp_largest[warp] : v;
    __syncthreads();
    return v;
  }

  template <class F>
  __device__ std::int64_t first(std::int64_t n, F&& f) const {
    __shared__ unsigned long long lowest;
    if (threadIdx.x == 0) lowest = static_cast<unsigned long long>(n);
    __syncthreads();
    for (std::int64_t i = threadIdx.x; i < n; i += threads()) {
      if (!f(i)) continue;
      atomicMin(&lowest, static_cast<unsigned long long>(i));
      break;
    }
    __syncthreads();
    const std::int64_t result = static_cast<std::int64_t>(lowest);
    __syncthreads();
    return result;
  }

  __device__ bool leads() const { return threadIdx.x == 0; }

  __device__ void barrier() const { __syncthreads(); }
};

template <class F>
__global__ void for_each_grid(std::int64_t n, F f) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  // Most threads have one element: to unroll would cost each of them a division for nothing.
#if defined(__CUDACC__)
#pragma unroll 1
#endif
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) f(i);
}

template <class F>
__global__ void __launch_bounds__(kRowThreads) for_each_row_grid(std::int64_t rows, F f) {
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) f(row, Team{});
}

/// Tests choose few blocks, so that their grids stride.
#if !defined(INOCULA_MOST_BLOCKS)
#define INOCULA_MOST_BLOCKS 65536
#endif

/// As many blocks as there is work for; a grid strides over the rest.
inline unsigned grid_blocks(std::int64_t wanted) {
  return static_cast<unsigned>(wanted < INOCULA_MOST_BLOCKS ? wanted : INOCULA_MOST_BLOCKS);
}

/// About what a large GPU runs at once: 128 multiprocessors of 2048 threads. Tests choose few, so that few
/// rows have small teams.
#if !defined(INOCULA_RESIDENT_THREADS)
#define INOCULA_RESIDENT_THREADS (std::int64_t{1} << 18)
#endif

/// How many threads own a row. Where the GPU cannot run all rows at once anyway, a small one has a thread for
/// every kThreadElements: a sum uses no more, and more rows run at once.
inline int team_threads(std::int64_t rows, std::int64_t row_cost) {
  int threads = kRowThreads;
  while (threads > kWarpThreads && rows * threads > INOCULA_RESIDENT_THREADS &&
         row_cost <= threads / 2 * kThreadElements)
    threads /= 2;
  return threads;
}

/// By a call rather than by <<<>>>, which is not C++: the emulation of CUDA has to compile it too.
template <class... Parameters, class... Arguments>
void launch(const Queue& queue, std::int64_t blocks, int threads, void (*kernel)(Parameters...),
            Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid_blocks(blocks);
  config.blockDim = static_cast<unsigned>(threads);
  config.stream = static_cast<cudaStream_t>(queue.stream);
  // An error is also the runtime's last one, for which the backend asks.
  cudaLaunchKernelEx(&config, kernel, arguments...);
}

template <class F>
void for_each(const Queue& queue, std::int64_t n, F f) {
  if (n == 0) return;
  launch(queue, (n + kRowThreads - 1) / kRowThreads, kRowThreads, for_each_grid<F>, n, f);
}

template <class F>
void for_each_row(const Queue& queue, std::int64_t rows, std::int64_t row_cost, F f) {
  if (rows == 0) return;
  launch(queue, rows, team_threads(rows, row_cost), for_each_row_grid<F>, rows, f);
}

#endif

INOCULA_END_TARGET
