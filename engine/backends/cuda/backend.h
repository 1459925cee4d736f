// NVIDIA GPUs as a backend: memory, one stream, cuDNN's convolutions, and whole Programs as CUDA graphs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/device.h"
#include "kernels/table.h"

namespace inocula::cuda {

struct BackendOptions {
  int ordinal = 0;
  Admission admission = {};
  void* stream =
      nullptr;  ///< the caller's cudaStream_t; null makes one. The legacy stream cannot be captured
  DeviceAllocator allocator = {};  ///< none: cudaMalloc
};

/// Throws Error (missing_package) where there is no such GPU, no driver, no cuDNN, or this build has no code
/// for it.
std::unique_ptr<Backend> make_backend(const KernelTable& kernels, const BackendOptions& options);

/// Every GPU as "cuda:N", or one report named "cuda" that says why there is none. Never throws.
std::vector<DeviceReport> find_devices(const KernelTable& kernels);

}  // namespace inocula::cuda
