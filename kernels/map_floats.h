// A map over plain arrays of floats: to[i] = map(source[0][i], source[1][i], …); on a GPU in 16-byte
// accesses.
#pragma once

#include <cstdint>

#include "kernels/for_each.h"
#include "kernels/octet.h"
#include "kernels/queue.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// `Map` is a function of `const float* v`, kSources values.
template <int kSources, class Map>
struct MapFloats {
  Map map;
  const float* source[kSources];
  float* to;
  std::int64_t size;

  INOCULA_DEVICE void element(std::int64_t i) const {
    float v[kSources];
    for (int s = 0; s < kSources; ++s) v[s] = source[s][i];
    to[i] = map(v);
  }

#if !defined(INOCULA_CUDA)
  void operator()(std::int64_t i) const {
    element(i);
  }
#else
  static constexpr int kQuad = 4;

  /// Two quads of a thread's, of those below `size`. A warp's threads lie side by side in both: what they
  /// access at once is 512 bytes in a row.
  __device__ void operator()(std::int64_t thread) const {
    const std::int64_t lane = thread % kWarpThreads;
    const std::int64_t first = (thread - lane) * 2 * kQuad + lane * kQuad;
    constexpr std::int64_t kSecond = std::int64_t{kWarpThreads} * kQuad;
    if (first + kSecond + kQuad > size) {
      for (std::int64_t quad = first; quad <= first + kSecond; quad += kSecond)
        for (std::int64_t i = quad; i < quad + kQuad && i < size; ++i) element(i);
      return;
    }
    // All reads first, so that they are under way together.
    float v[kSources][2 * kQuad], result[2 * kQuad];
    for (int s = 0; s < kSources; ++s) {
      load_sixteen(source[s] + first, v[s]);
      load_sixteen(source[s] + first + kSecond, v[s] + kQuad);
    }
    for (int l = 0; l < 2 * kQuad; ++l) {
      float of_lane[kSources];
      for (int s = 0; s < kSources; ++s) of_lane[s] = v[s][l];
      result[l] = map(of_lane);
    }
    store_sixteen(result, to + first);
    store_sixteen(result + kQuad, to + first + kSecond);
  }
#endif
};

/// All arrays hold `size` floats and are aligned to 16 bytes; `to` may be a source.
template <int kSources, class Map>
void map_floats(const Queue& queue, const MapFloats<kSources, Map>& f) {
#if !defined(INOCULA_CUDA)
  for_each(queue, f.size, f);
#else
  constexpr std::int64_t kWarpElements = std::int64_t{2} * MapFloats<kSources, Map>::kQuad * kWarpThreads;
  for_each(queue, (f.size + kWarpElements - 1) / kWarpElements * kWarpThreads, f);
#endif
}

INOCULA_END_TARGET
