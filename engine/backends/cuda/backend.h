// NVIDIA GPUs as a backend: memory, one stream, cuDNN's convolutions, and whole Programs as CUDA graphs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/determinism.h"
#include "engine/device_allocator.h"
#include "kernels/table.h"

namespace inocula::cuda {

struct BackendOptions {
  int ordinal = 0;
  Determinism determinism = Determinism::reproducible;
  void* stream =
      nullptr;  ///< the caller's cudaStream_t; null makes one. The legacy stream cannot be captured
  DeviceAllocator allocator = {};  ///< none: cudaMalloc
};

/// Throws Error (missing_package) where there is no such GPU, no driver, no cuDNN, or this build has no code
/// for it.
std::unique_ptr<Backend> make_backend(const KernelTable& kernels, const BackendOptions& options);

/// A GPU, or the reason why there is none.
struct Found {
  std::string name;  ///< "cuda:0", or "cuda" for a reason
  bool usable = false;
  std::string description;  ///< one fact a line
};
/// Never throws: without a driver it says so.
std::vector<Found> find_devices(const KernelTable& kernels);

}  // namespace inocula::cuda
