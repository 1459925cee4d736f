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
  /// Elements [8 octet, 8 octet + 8) of those below `size`.
  __device__ void operator()(std::int64_t octet) const {
    const std::int64_t first = octet * kOctet;
    if (first + kOctet > size) {
      for (std::int64_t i = first; i < size; ++i) element(i);
      return;
    }
    float v[kSources][kOctet], result[kOctet];
    for (int s = 0; s < kSources; ++s) load_octet(source[s] + first, v[s]);
    for (int l = 0; l < kOctet; ++l) {
      float of_lane[kSources];
      for (int s = 0; s < kSources; ++s) of_lane[s] = v[s][l];
      result[l] = map(of_lane);
    }
    store_octet(to + first, result);
  }
#endif
};

/// All arrays hold `size` floats and are aligned to 16 bytes; `to` may be a source.
template <int kSources, class Map>
void map_floats(const Queue& queue, const MapFloats<kSources, Map>& f) {
#if !defined(INOCULA_CUDA)
  for_each(queue, f.size, f);
#else
  for_each(queue, (f.size + kOctet - 1) / kOctet, f);
#endif
}

INOCULA_END_TARGET
