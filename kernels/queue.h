// Where a kernel is launched: a team of CPU threads, or a CUDA stream.
#pragma once

namespace inocula {

/// Handed to every kernel. Launches are ordered: a kernel sees all writes of those enqueued before it.
struct Queue {
  int threads = 1;         ///< CPU: how many OpenMP threads a kernel may use
  void* stream = nullptr;  ///< CUDA: the cudaStream_t to launch on
};

}  // namespace inocula
