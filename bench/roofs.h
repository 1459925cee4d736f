// The machine's best, measured right before each benchmark that is held against it.
#pragma once

#include <benchmark/benchmark.h>

#include "engine/device.h"

namespace inocula::bench {

/// How much work a benchmark is given.
enum class Extent {
  full,
  quick,  ///< the least that runs every line: for tests, which read no time
};

/// Floats of an array beyond the device's caches: 128 MiB of them, and 512 on a GPU, whose cache holds up to
/// 126; for a quick run 1.
std::int64_t array_floats(const Device& device, Extent extent);

/// On a shared host copying and arithmetic change by the minute: a share means something only where both
/// sides of it were measured within a second or two.
class Roofs {
 public:
  /// `device` must outlive this.
  Roofs(const Device& device, Extent extent) : device_(device), extent_(extent) {}

  /// The counters `GB/s`, of bytes that one iteration must move, and `share_of_copy`: of what a copy moves a
  /// second (tools/roof.h), bytes read and written.
  void count_bytes(benchmark::State& state, double bytes);
  /// The counters `GFLOP/s` and `share_of_peak`, of the operations of one iteration: of fused multiply-adds
  /// from registers.
  void count_operations(benchmark::State& state, double operations);

 private:
  double copy_gbps();
  double fp32_gflops();

  const Device& device_;
  Extent extent_;
  Buffer from_, to_;
};

}  // namespace inocula::bench
