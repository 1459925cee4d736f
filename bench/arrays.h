// Device memory for kernels to work on: a few arrays beyond the caches, and many short vectors.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "bench/roofs.h"
#include "engine/device.h"

namespace inocula::bench {

/// About 0.5, read as floats or as pairs of bf16 alike.
inline constexpr float kHalf = std::bit_cast<float>(0x3F003F00u);

/// Made at first use and shared by all benchmarks of a run, one after the other.
class Arrays {
 public:
  Arrays(const Device& device, Extent extent) : device_(device), size_(array_floats(device, extent)) {}

  const Device& device() const { return device_; }
  /// Floats in one of floats().
  std::int64_t size() const { return size_; }

  /// Array number `which`, 0 to 8, with `value` everywhere.
  float* floats(std::size_t which, float value = kHalf) { return fill(arrays_.at(which), size_, value); }
  /// The same memory as zeros of whatever kind.
  template <class T>
  T* zeros(std::size_t which) {
    return reinterpret_cast<T*>(floats(which, 0.0f));
  }
  /// Array number `which`, which begins with these.
  template <class T>
  T* many(std::size_t which, const std::vector<T>& values) {
    floats(which, 0.0f);
    arrays_[which].upload(values.data(), values.size());
    return arrays_[which].as<T>();
  }
  std::int32_t* integers(std::size_t which, const std::vector<std::int32_t>& values) {
    return many(which, values);
  }

  /// Short array number `which`, 0 to 7, of at most kVector floats, with `value` everywhere.
  static constexpr std::int64_t kVector = 4096;
  float* vector(std::size_t which, float value = kHalf) { return fill(vectors_.at(which), kVector, value); }
  /// Short array number `which`, which begins with `value`.
  template <class T>
  T* one(std::size_t which, const T& value) {
    vector(which, 0.0f);
    vectors_[which].upload(&value, 1);
    return vectors_[which].as<T>();
  }

 private:
  float* fill(Buffer& array, std::int64_t size, float value) const {
    if (array.bytes() == 0) array = Buffer(device_, static_cast<std::size_t>(size) * sizeof(float));
    device_.backend().run([&](const Queue& queue) {
      device_.kernels().fill(queue, {array.as<void>(), size, value});
    });
    return array.as<float>();
  }

  const Device& device_;
  std::int64_t size_;
  std::array<Buffer, 9> arrays_;
  std::array<Buffer, 8> vectors_;
};

}  // namespace inocula::bench
