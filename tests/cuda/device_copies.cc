// The arrays that are alive, and copying them there and back.
#include "tests/cuda/device_copies.h"

#include <cuda_runtime_api.h>
#include <doctest/doctest.h>

#include <cstdlib>
#include <limits>
#include <map>
#include <new>
#include <utility>

namespace inocula::test {

namespace {

/// operator new tells of what it allocates: this must not call it.
template <class T>
struct FromMalloc {
  using value_type = T;
  FromMalloc() = default;
  template <class U>
  explicit FromMalloc(const FromMalloc<U>&) {}
  T* allocate(std::size_t n) {
    void* const memory = std::malloc(n * sizeof(T));
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { std::free(memory); }
  bool operator==(const FromMalloc&) const = default;
};

using Arrays =
    std::map<std::byte*, std::size_t, std::less<>, FromMalloc<std::pair<std::byte* const, std::size_t>>>;

/// Never destroyed: memory is freed until the very end.
Arrays& arrays() {
  alignas(Arrays) static std::byte memory[sizeof(Arrays)];
  static Arrays* const all = new (memory) Arrays;
  return *all;
}

}  // namespace

void note_array(void* begin, std::size_t bytes) {
  arrays().emplace(static_cast<std::byte*>(begin), bytes);
}
void forget_array(void* begin) {
  arrays().erase(static_cast<std::byte*>(begin));
}

void* DeviceCopies::copy_of(void* address) {
  auto* const wanted = static_cast<std::byte*>(address);
  auto array = arrays().upper_bound(wanted);
  if (wanted == nullptr || array == arrays().begin()) return address;
  --array;
  const auto [begin, bytes] = *array;
  if (wanted > begin + bytes) return address;
  for (const Copy& copy : copies_)
    if (copy.host == begin) return copy.device + (wanted - begin);
  void* device = nullptr;
  REQUIRE(cudaMalloc(&device, bytes > 0 ? bytes : 1) == cudaSuccess);
  copies_.push_back({begin, static_cast<std::byte*>(device), bytes});
  REQUIRE(cudaMemcpy(device, begin, bytes, cudaMemcpyHostToDevice) == cudaSuccess);
  return copies_.back().device + (wanted - begin);
}

DeviceCopies::~DeviceCopies() {
  for (const Copy& copy : copies_) {
    CHECK(cudaMemcpy(copy.host, copy.device, copy.bytes, cudaMemcpyDeviceToHost) == cudaSuccess);
    cudaFree(copy.device);
  }
}

}  // namespace inocula::test
