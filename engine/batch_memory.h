// What does not fit: says which batch would.
#pragma once

#include <cstdint>
#include <string>

#include "engine/error.h"

namespace inocula {

/// What `build` answers, a Program for `batch` samples at once. Where its memory is not there, the error
/// names a batch that would fit: nearly all of a Program's memory grows with its batch.
template <class Build>
auto build_for_batch(const std::string& device, std::int64_t batch, const Build& build) {
  try {
    return build();
  } catch (const OutOfMemory& e) {
    constexpr double kShare = 0.95;  // weights and pieces left over between allocations
    const auto fits =
        static_cast<std::int64_t>(kShare * static_cast<double>(batch) * static_cast<double>(e.free()) /
                                  static_cast<double>(e.needed()));
    if (fits < 1 || fits >= batch) throw;
    fail_out_of_memory(
        device, e.needed(), e.free(),
        "a batch of " + std::to_string(fits) + " instead of " + std::to_string(batch) + " would fit");
  }
}

}  // namespace inocula
