// Turning CUDA's status codes into errors that name the call.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace inocula::cuda {

/// A status and the line that asked for it.
struct Status {
  Status(cudaError_t code, const std::source_location& where = std::source_location::current())
      : code(code), where(where) {}

  /// "engine/backends/cuda/backend.cc:120", wherever it was built.
  std::string line() const {
    const std::string_view file = where.file_name();
    const std::size_t begin = file.rfind("engine/");
    return std::string(begin == std::string_view::npos ? file : file.substr(begin)) + ":" +
           std::to_string(where.line());
  }

  cudaError_t code;
  std::source_location where;
};

/// Free memory of the current device, 0 where that is not known.
inline std::size_t free_memory() {
  std::size_t free = 0, total = 0;
  return cudaMemGetInfo(&free, &total) == cudaSuccess ? free : 0;
}

/// Throws unless `status` is success: "cudaGraphLaunch on cuda:0: an illegal memory access …
/// (cudaErrorIllegalAddress, engine/backends/cuda/backend.cc:80)", of kind internal; OutOfMemory where the
/// runtime wanted memory for something of its own, such as a graph or a kernel's code. Work runs later than
/// it is enqueued: the call named is the one that noticed.
template <class... What>
void check(const Status& status, const What&... what) {
  if (status.code == cudaSuccess) return;
  std::ostringstream call;
  (call << ... << what);
  if (status.code == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it would be reported once more
    fail_out_of_memory("the GPU", 0, free_memory(),
                       "it was wanted by " + call.str() + "; a smaller batch needs less");
  }
  fail(ErrorKind::internal, call.str(), ": ", cudaGetErrorString(status.code), " (",
       cudaGetErrorName(status.code), ", ", status.line(), ")");
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
