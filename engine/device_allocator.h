// A caller's own stream and memory, for a device that shall live inside another program.
#pragma once

#include <cstddef>
#include <functional>

namespace inocula {

/// Where device memory comes from: `allocate` and `release` or neither. Called on the thread that uses the device.
struct DeviceAllocator {
  std::function<void*(std::size_t bytes)> allocate;  ///< null where there is none; aligned to 256 bytes
  std::function<void(void* memory, std::size_t bytes)> release;
  /// May be there too: how many bytes it could still hand out, for what is said when it hands out none. Else
  /// that is what is free on the device.
  std::function<std::size_t()> free_bytes;

  explicit operator bool() const { return static_cast<bool>(allocate); }
};

}  // namespace inocula
