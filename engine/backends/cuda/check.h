// Turning CUDA's status codes into errors that name the call.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/error.h"

namespace inocula::cuda {

/// Throws Error (internal) unless `status` is success: "cudaGraphLaunch on cuda:0: an illegal memory access …
/// (cudaErrorIllegalAddress)". Work runs later than it is enqueued: the call named is the one that noticed.
template <class... What>
void check(cudaError_t status, const What&... what) {
  if (status != cudaSuccess)
    fail(ErrorKind::internal, what..., ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

/// Makes a device current and puts the caller's back.
class DeviceScope {
 public:
  explicit DeviceScope(int ordinal) {
    check(cudaGetDevice(&before_), "cudaGetDevice");
    if (before_ == ordinal) return;
    check(cudaSetDevice(ordinal), "cudaSetDevice to cuda:", ordinal);
    changed_ = true;
  }
  ~DeviceScope() {
    if (changed_) cudaSetDevice(before_);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

}  // namespace inocula::cuda
