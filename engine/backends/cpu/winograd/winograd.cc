// Which of Winograd's kernels this processor runs, and how their work is cut into blocks.
#include "engine/backends/cpu/winograd/winograd.h"

#include <algorithm>

#if defined(__x86_64__)
namespace inocula {
namespace cpu_avx2 {
extern const cpu::WinogradKernels kWinogradKernels;
}
namespace cpu_avx512 {
extern const cpu::WinogradKernels kWinogradKernels;
}
}  // namespace inocula
#endif

namespace inocula::cpu {

const WinogradKernels* find_winograd_kernels(std::int64_t lanes) {
#if defined(__x86_64__)
  if (lanes == 16 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return &cpu_avx512::kWinogradKernels;
  if (lanes == 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &cpu_avx2::kWinogradKernels;
#endif
  return nullptr;
}

WinogradBlocking choose_blocking(const WinogradShape& s, int threads) {
  WinogradBlocking b;
  // Weights this large come from memory at every reading: all threads read them for the same tiles, each its
  // own part.
  constexpr std::int64_t kLargeWeights = std::int64_t{8} << 20;
  b.shared = s.weights_size() >= kLargeWeights;
  if (b.shared) {
    b.tiles = std::min<std::int64_t>(s.tiles(), 32);
    return b;
  }
  // A block's transformed data and its products stay about in the second cache; every thread gets as many
  // blocks.
  constexpr std::int64_t kCacheFloats = 256 * 1024;
  const std::int64_t fitting =
      std::clamp<std::int64_t>(kCacheFloats / (s.points() * (s.in_channels() + s.out_channels())), 12, 32);
  const std::int64_t at_once = fitting * threads;
  const std::int64_t rounds = std::max<std::int64_t>(1, (s.tiles() + at_once / 2) / at_once);
  b.tiles = (s.tiles() + rounds * threads - 1) / (rounds * threads);
  return b;
}

WinogradGradientBlocking choose_gradient_blocking(const WinogradShape& s, int threads) {
  // Where the gradient at all points is larger than the caches, it is better never written.
  constexpr std::int64_t kLargeWeights = std::int64_t{1} << 20, kMostTiles = 128;
  const bool whole =
      s.weights_size() >= kLargeWeights && s.tiles() <= kMostTiles && s.in_blocks * s.panels() >= 2 * threads;
  return {whole ? s.tiles() : std::min<std::int64_t>(s.tiles(), 32), whole};
}

std::int64_t convolve_scratch(const WinogradShape& s, const WinogradBlocking& b, int threads) {
  const std::int64_t v = s.points() * s.in_plane(b.tiles);
  const std::int64_t m = s.points() * s.panel_plane(b.tiles) * s.panels();
  return b.shared ? v + m : threads * (v + m);
}

std::int64_t weight_gradient_scratch(const WinogradShape& s, const WinogradGradientBlocking& b, int threads) {
  const std::int64_t values = s.points() * (s.in_plane(b.tiles) + s.out_plane(b.tiles));
  return values + (b.whole ? threads * s.points() * s.gradient_plane() : s.weights_size());
}

}  // namespace inocula::cpu
