// A CPU backend that counts what is allocated through it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "tests/engine/device_behind.h"
#include "tests/engine/forwarding_backend.h"

namespace inocula::test {

struct BackendCounts {
  std::size_t calls = 0, alive_bytes = 0, largest_bytes = 0;
};

class CountingBackend final : public ForwardingBackend {
 public:
  CountingBackend(std::unique_ptr<Backend> inner, BackendCounts& counts)
      : ForwardingBackend(std::move(inner)), counts_(counts) {}

  void* allocate(std::size_t bytes, Contents contents) override {
    counts_.calls += 1;
    counts_.alive_bytes += bytes;
    counts_.largest_bytes = std::max(counts_.largest_bytes, bytes);
    return ForwardingBackend::allocate(bytes, contents);
  }
  void release(void* memory, std::size_t bytes) override {
    counts_.alive_bytes -= bytes;
    ForwardingBackend::release(memory, bytes);
  }

 private:
  BackendCounts& counts_;
};

/// A CPU device of one thread whose allocations are counted; `counts` must outlive it.
inline Device counting_device(BackendCounts& counts) {
  return device_behind<CountingBackend>(counts);
}

}  // namespace inocula::test
