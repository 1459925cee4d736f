// The device a network lives on: a backend for memory and convolutions, a table of kernels, a queue.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend.h"
#include "engine/determinism.h"
#include "engine/device_allocator.h"
#include "kernels/table.h"

namespace inocula {

struct DeviceOptions {
  int threads = 0;  ///< CPU threads; 0 takes every core that this process may use
  /// CPU only: the best instruction set to use, "baseline", "avx2" or "avx512"; empty takes the machine's
  /// best.
  std::string instruction_set = {};
  Determinism determinism = Determinism::reproducible;  ///< CUDA; on the CPU everything is reproducible
  /// CUDA: fp32 may be multiplied in TF32. Unset: where `determinism` is fast.
  std::optional<bool> tf32 = {};
  bool precise = false;    ///< CPU only: convolutions by direct summation alone, a digit better and slower
  void* stream = nullptr;  ///< CUDA only: the caller's cudaStream_t to work on; null makes one
  DeviceAllocator allocator = {};  ///< CUDA only: where device memory comes from; none takes cudaMalloc
};

/// Owns everything that knows hardware. One thread at a time; different Devices are independent.
class Device {
 public:
  /// `name` is "cpu", or "cuda:0" for the first GPU. Throws Error (usage) for an unknown name,
  /// (missing_package) for hardware, a driver or a library that is not there.
  static Device open(const std::string& name, const DeviceOptions& options = {});

  Device(std::string name, int threads, std::unique_ptr<Backend> backend, const KernelTable& kernels);

  const std::string& name() const { return name_; }
  int threads() const { return threads_; }
  Backend& backend() const { return *backend_; }
  const KernelTable& kernels() const { return *kernels_; }

 private:
  std::string name_;
  int threads_;
  std::unique_ptr<Backend> backend_;
  const KernelTable* kernels_;
};

/// Every device this build could use, with what it is or why it cannot be used: for `inocula devices`.
struct DeviceReport {
  std::string name;
  bool usable = false;
  std::string description;
};
std::vector<DeviceReport> list_devices();

/// Device memory with an owner.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Device& device, std::size_t bytes, Contents contents = Contents::zeros)
      : backend_(&device.backend()), memory_(backend_->allocate(bytes, contents)), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (memory_ != nullptr) backend_->release(memory_, bytes_);
  }

  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }
  std::size_t bytes() const { return bytes_; }

  /// Copies `count` values from the host to element `first` on.
  template <class T>
  void upload(const T* from, std::size_t count, std::size_t first = 0) {
    backend_->upload(as<T>() + first, from, count * sizeof(T));
  }
  template <class T>
  void download(T* to, std::size_t count, std::size_t first = 0) const {
    backend_->download(to, as<T>() + first, count * sizeof(T));
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
  }

  Backend* backend_ = nullptr;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace inocula
