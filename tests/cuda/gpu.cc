// Asking the CUDA runtime.
#include "tests/cuda/gpu.h"

#include <cuda_runtime_api.h>
#include <doctest/doctest.h>

namespace inocula::test {

int count_gpus() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

void require_done(const char* what) {
  const cudaError_t launched = cudaGetLastError(), done = cudaDeviceSynchronize();
  REQUIRE_MESSAGE(launched == cudaSuccess, what, ": ", cudaGetErrorString(launched));
  REQUIRE_MESSAGE(done == cudaSuccess, what, ": ", cudaGetErrorString(done));
}

}  // namespace inocula::test
