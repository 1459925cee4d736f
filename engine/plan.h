// Who lives when, and where: offsets in one arena for tensors whose lifetimes are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace inocula {

struct PlannedTensor {
  std::string name;
  std::size_t bytes = 0;
  bool external = false;   ///< memory belongs to somebody else: not planned
  bool permanent = false;  ///< keeps its value from run to run: shares its memory with nothing
};

/// What one step touches, by tensor index.
struct StepUse {
  std::vector<std::int32_t> reads, writes;  ///< an updated tensor is in both
  std::size_t scratch_bytes = 0;
};

/// Steps [begin, end) run `count` times. Loops nest; a later one in the list may lie inside an earlier one.
struct LoopRange {
  std::size_t begin = 0, end = 0;
  std::int64_t count = 1;
  std::int32_t done = -1;  ///< tensor of i32: once none of them is 0, further turns change nothing
};

/// A tensor's steps, first and last, both included.
struct Lifetime {
  std::size_t first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<Lifetime> lifetimes;           ///< by tensor
  std::vector<std::size_t> offsets;          ///< by tensor; 0 for external and unused ones
  std::vector<std::size_t> scratch_offsets;  ///< by step
  std::size_t arena_bytes = 0;
  std::size_t sum_bytes = 0;  ///< what one piece a tensor would take
};

/// As a GPU's own allocator aligns: its libraries meet no other addresses anywhere.
inline constexpr std::size_t kArenaAlignment = 256;

/// Lifetimes follow from the order of the steps; what lives into a loop lives through all its turns. Offsets
/// are chosen greedily, largest first, at the lowest place free during the whole lifetime. Throws Error
/// (internal) where a planned tensor is read before it was written.
MemoryPlan plan_memory(const std::vector<PlannedTensor>& tensors, const std::vector<StepUse>& steps,
                       const std::vector<LoopRange>& loops);

}  // namespace inocula
