// What the machine can do at best, for benchmarks to hold their figures against.
#pragma once

#include <cstdint>

namespace inocula {

/// fma_chains: `chains` independent chains of `length` dependent fused multiply-adds on kFmaLanes floats
/// each, from registers; 2 * kFmaLanes * kFmaChains * length * tasks operations in all.
inline constexpr int kFmaLanes = 16;
inline constexpr int kFmaChains = 12;

struct FmaChains {
  float* sink = nullptr;  ///< (tasks), written so that nothing is optimised away
  std::int64_t tasks = 0;
  std::int64_t length = 0;
};

/// copy_floats: to[i] = from[i]: the copy bandwidth.
struct CopyFloats {
  const float* from = nullptr;
  float* to = nullptr;
  std::int64_t size = 0;
};

}  // namespace inocula
