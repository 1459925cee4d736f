// A CPU backend that counts what is allocated through it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "engine/backend.h"
#include "engine/backends/cpu/backend.h"
#include "engine/device.h"
#include "tests/engine/harness.h"

namespace inocula::test {

struct BackendCounts {
  std::size_t calls = 0, alive_bytes = 0, largest_bytes = 0;
};

class CountingBackend final : public Backend {
 public:
  CountingBackend(std::unique_ptr<Backend> inner, BackendCounts& counts)
      : inner_(std::move(inner)), counts_(counts) {}

  std::string name() const override { return inner_->name(); }
  std::string describe() const override { return inner_->describe(); }
  std::int64_t block(std::int64_t channels) const override { return inner_->block(channels); }
  void* allocate(std::size_t bytes) override {
    counts_.calls += 1;
    counts_.alive_bytes += bytes;
    counts_.largest_bytes = std::max(counts_.largest_bytes, bytes);
    return inner_->allocate(bytes);
  }
  void release(void* memory, std::size_t bytes) override {
    counts_.alive_bytes -= bytes;
    inner_->release(memory, bytes);
  }
  void upload(void* to, const void* from, std::size_t bytes) override { inner_->upload(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { inner_->download(to, from, bytes); }
  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    return inner_->conv_forward(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    return inner_->conv_backward_data(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    return inner_->conv_backward_weights(g);
  }
  void run(const std::function<void(const Queue&)>& work) override { inner_->run(work); }

 private:
  std::unique_ptr<Backend> inner_;
  BackendCounts& counts_;
};

/// A CPU device of one thread whose allocations are counted; `counts` must outlive it.
inline Device counting_device(BackendCounts& counts) {
  const KernelTable& kernels = cpu().kernels();
  return Device("cpu", 1, std::make_unique<CountingBackend>(inocula::cpu::make_backend(kernels, 1), counts),
                kernels);
}

}  // namespace inocula::test
