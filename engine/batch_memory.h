// What does not fit: says which batch would.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "engine/error.h"
#include "engine/recorder.h"

namespace inocula {

/// Finishes what `record` writes down for `batch` samples: Recorder record(std::int64_t rows). Where the
/// memory is not there, the OutOfMemory thrown names a batch whose Program was planned and fits into what is
/// free.
template <class Record>
Program finish_for_batch(std::int64_t batch, Preparation preparation, const Record& record) {
  try {
    return record(batch).finish(preparation);
  } catch (const OutOfMemory& e) {
    // What a library asked for, and memory in pieces, are no measure of a batch.
    if (e.needed() <= e.free() || e.needed() == 0) throw;
    // Most of a Program's memory grows with its batch: shrink in proportion, until the rest has its room as
    // well.
    constexpr int kAttempts = 8;
    const auto free = static_cast<double>(e.free());
    auto bytes = static_cast<double>(e.needed());
    std::int64_t fits = batch;
    for (int attempt = 0; attempt < kAttempts && fits > 1; ++attempt) {
      fits = std::clamp<std::int64_t>(static_cast<std::int64_t>(static_cast<double>(fits) * free / bytes), 1,
                                      fits - 1);
      bytes = static_cast<double>(record(fits).planned_bytes(preparation));
      if (bytes <= free)
        fail_out_of_memory(
            e.device(), e.needed(), e.free(),
            "a batch of " + std::to_string(fits) + " instead of " + std::to_string(batch) + " would fit");
    }
    throw;
  }
}

}  // namespace inocula
