// Device memory as a caller of the library hands it out, counted; and whether a device still does its work.
#pragma once

#include <cuda_runtime_api.h>
#include <doctest/doctest.h>

#include <cstddef>

#include "engine/device.h"

namespace inocula::test {

/// Must outlive the device that takes from it.
class CallersMemory {
 public:
  DeviceAllocator allocator() {
    DeviceAllocator a;
    a.allocate = [this](std::size_t bytes) -> void* {
      void* memory = nullptr;
      if (cudaMalloc(&memory, bytes) != cudaSuccess) return nullptr;
      held_ += bytes;
      taken_ += 1;
      return memory;
    };
    a.release = [this](void* memory, std::size_t bytes) {
      cudaFree(memory);
      held_ -= bytes;
    };
    return a;
  }
  std::size_t held() const { return held_; }    ///< bytes
  std::size_t taken() const { return taken_; }  ///< pieces so far

 private:
  std::size_t held_ = 0, taken_ = 0;
};

inline void check_still_works(const Device& device) {
  Buffer buffer(device, sizeof(float));
  const float one = 1;
  float read = 0;
  buffer.upload(&one, 1);
  buffer.download(&read, 1);
  CHECK(read == 1);
}

}  // namespace inocula::test
