// A CPU backend that takes Programs down as a GPU's graph does, and refuses what such a graph could not hold.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "tests/engine/device_behind.h"
#include "tests/engine/forwarding_backend.h"

namespace inocula::test {

struct CaptureCounts {
  int captures = 0;  ///< Programs taken down
  int replays = 0;   ///< starts of one
  int eager = 0;     ///< Programs run step by step
};

/// While a replay runs, memory, copies from or to the host and new convolutions are errors (internal): on a
/// GPU none of them can be part of a graph, and each would stop the queue.
class CapturingBackend final : public ForwardingBackend {
 public:
  CapturingBackend(std::unique_ptr<Backend> inner, CaptureCounts& counts)
      : ForwardingBackend(std::move(inner)), counts_(counts) {}

  void* allocate(std::size_t bytes) override {
    refuse_inside("allocate");
    return ForwardingBackend::allocate(bytes);
  }
  void upload(void* to, const void* from, std::size_t bytes) override {
    refuse_inside("upload");
    ForwardingBackend::upload(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    refuse_inside("download");
    ForwardingBackend::download(to, from, bytes);
  }
  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    refuse_inside("conv_forward");
    return ForwardingBackend::conv_forward(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    refuse_inside("conv_backward_data");
    return ForwardingBackend::conv_backward_data(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    refuse_inside("conv_backward_weights");
    return ForwardingBackend::conv_backward_weights(g);
  }
  void run(const std::function<void(const Queue&)>& work) override {
    counts_.eager += 1;
    ForwardingBackend::run(work);
  }
  std::unique_ptr<Replay> capture(const std::vector<NamedLaunch>& steps) override {
    counts_.captures += 1;
    auto held = std::make_unique<Held>(*this);
    for (const NamedLaunch& step : steps) held->launches.push_back(step.launch);
    return held;
  }
  void synchronize() override {
    refuse_inside("synchronize");
    ForwardingBackend::synchronize();
  }

 private:
  /// Copies, as a graph's nodes are: what happens to the Program later changes nothing.
  struct Held final : Replay {
    explicit Held(CapturingBackend& backend) : backend(backend) {}
    void launch() override {
      backend.counts_.replays += 1;
      backend.inside_ = true;
      backend.ForwardingBackend::run([&](const Queue& queue) {
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

  CaptureCounts& counts_;
  bool inside_ = false;
};

/// A CPU device of one thread that replays; `counts` must outlive it.
inline Device capturing_device(CaptureCounts& counts) {
  return device_behind<CapturingBackend>(counts);
}

}  // namespace inocula::test
