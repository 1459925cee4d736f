// Copies from the host that never wait for the device: through a ring of page-locked slots.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "engine/backends/cuda/last_work.h"

namespace inocula::cuda {

/// The caller's memory may be reused as soon as a copy was enqueued. A slot is waited for only when the ring
/// has come round to it, so the host runs ahead by at most that many copies.
class PinnedStaging {
 public:
  /// On the current device; `last` must outlive it.
  PinnedStaging(cudaStream_t stream, const LastWork& last);
  ~PinnedStaging();
  PinnedStaging(const PinnedStaging&) = delete;
  PinnedStaging& operator=(const PinnedStaging&) = delete;

  void upload(void* to, const void* from_host, std::size_t bytes);

 private:
  struct Slot {
    Slot() = default;
    ~Slot();
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    void* memory = nullptr;
    cudaEvent_t free = nullptr;  ///< recorded behind the copy that last used it
  };

  cudaStream_t stream_;
  const LastWork& last_;
  std::vector<Slot> slots_;
  std::size_t next_ = 0;
};

}  // namespace inocula::cuda
