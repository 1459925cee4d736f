// A CPU backend that takes Programs down as a GPU's graph does, and refuses what such a graph could not hold.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/backend.h"
#include "engine/backends/cpu/backend.h"
#include "engine/device.h"
#include "engine/error.h"
#include "tests/engine/harness.h"

namespace inocula::test {

struct CaptureCounts {
  int captures = 0;  ///< Programs taken down
  int replays = 0;   ///< starts of one
  int eager = 0;     ///< Programs run step by step
};

/// While a replay runs, memory, copies from or to the host and new convolutions are errors (internal): on a
/// GPU none of them can be part of a graph, and each would stop the queue.
class CapturingBackend final : public Backend {
 public:
  CapturingBackend(std::unique_ptr<Backend> inner, CaptureCounts& counts)
      : inner_(std::move(inner)), counts_(counts) {}

  std::string name() const override { return inner_->name(); }
  std::string describe() const override { return inner_->describe(); }
  std::int64_t block(std::int64_t channels) const override { return inner_->block(channels); }
  void* allocate(std::size_t bytes) override {
    refuse_inside("allocate");
    return inner_->allocate(bytes);
  }
  void release(void* memory, std::size_t bytes) override { inner_->release(memory, bytes); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    refuse_inside("upload");
    inner_->upload(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    refuse_inside("download");
    inner_->download(to, from, bytes);
  }
  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    refuse_inside("conv_forward");
    return inner_->conv_forward(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    refuse_inside("conv_backward_data");
    return inner_->conv_backward_data(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    refuse_inside("conv_backward_weights");
    return inner_->conv_backward_weights(g);
  }
  void run(const std::function<void(const Queue&)>& work) override {
    counts_.eager += 1;
    inner_->run(work);
  }
  std::unique_ptr<Replay> capture(const std::vector<const Launch*>& launches) override {
    counts_.captures += 1;
    auto held = std::make_unique<Held>(*this);
    for (const Launch* launch : launches) held->launches.push_back(*launch);
    return held;
  }
  void synchronize() override { refuse_inside("synchronize"); }

 private:
  /// Copies, as a graph's nodes are: what happens to the Program later changes nothing.
  struct Held final : Replay {
    explicit Held(CapturingBackend& backend) : backend(backend) {}
    void launch() override {
      backend.counts_.replays += 1;
      backend.inside_ = true;
      backend.inner_->run([&](const Queue& queue) {
        for (const Launch& one : launches) one(queue);
      });
      backend.inside_ = false;
    }
    CapturingBackend& backend;
    std::vector<Launch> launches;
  };

  void refuse_inside(const char* what) const {
    if (inside_) fail(ErrorKind::internal, what, " inside a replay");
  }

  std::unique_ptr<Backend> inner_;
  CaptureCounts& counts_;
  bool inside_ = false;
};

/// A CPU device of one thread that replays; `counts` must outlive it.
inline Device capturing_device(CaptureCounts& counts) {
  const KernelTable& kernels = cpu().kernels();
  return Device("cpu", 1, std::make_unique<CapturingBackend>(inocula::cpu::make_backend(kernels, 1), counts),
                kernels);
}

}  // namespace inocula::test
