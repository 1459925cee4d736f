// A stand-in for a GPU that takes Programs down as a CUDA graph does, and refuses what such a graph cannot
// hold.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/device.h"
#include "engine/error.h"
#include "tests/engine/channels_last.h"
#include "tests/engine/forwarding_backend.h"
#include "tests/engine/tape.h"

namespace inocula::test {

struct CaptureCounts {
  int captures = 0;     ///< Programs taken down
  int replays = 0;      ///< starts of one
  int eager = 0;        ///< Programs run step by step
  int allocations = 0;  ///< pieces of memory asked for
  int waits = 0;        ///< of the host for the device: downloads, synchronisations
};

/// While it takes steps down, memory, copies from or to the host and new convolutions are errors (internal),
/// as is a step that enqueues nothing: what the host does beside its launches is in no graph.
class CapturingBackend final : public ForwardingBackend {
 public:
  CapturingBackend(std::unique_ptr<Backend> inner, CaptureCounts& counts)
      : ForwardingBackend(std::move(inner)), counts_(counts) {}

  void* allocate(std::size_t bytes, Contents contents) override {
    refuse_in_capture("allocate");
    counts_.allocations += 1;
    return ForwardingBackend::allocate(bytes, contents);
  }
  void upload(void* to, const void* from, std::size_t bytes) override {
    refuse_in_capture("upload");
    ForwardingBackend::upload(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    refuse_in_capture("download");
    counts_.waits += 1;
    ForwardingBackend::download(to, from, bytes);
  }
  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    refuse_in_capture("conv_forward");
    return ForwardingBackend::conv_forward(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    refuse_in_capture("conv_backward_data");
    return ForwardingBackend::conv_backward_data(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    refuse_in_capture("conv_backward_weights");
    return ForwardingBackend::conv_backward_weights(g);
  }
  void run(const std::function<void(const Queue&)>& work) override {
    refuse_in_capture("run");
    counts_.eager += 1;
    ForwardingBackend::run(work);
  }
  std::unique_ptr<Replay> capture(const std::vector<NamedLaunch>& steps) override {
    counts_.captures += 1;
    auto held = std::make_unique<Held>(*this);
    const Taping taping(held->tape);
    for (const NamedLaunch& step : steps) {
      const std::size_t before = held->tape.size();
      step.launch(Queue{});
      if (held->tape.size() == before)
        fail(ErrorKind::internal, "step '", step.name, "' enqueues nothing: a graph leaves it out");
    }
    return held;
  }
  void synchronize() override {
    refuse_in_capture("synchronize");
    counts_.waits += 1;
    ForwardingBackend::synchronize();
  }

 private:
  struct Held final : Replay {
    explicit Held(CapturingBackend& b) : backend(b) {}
    void launch() override {
      backend.counts_.replays += 1;
      backend.ForwardingBackend::run([&](const Queue& queue) { tape.play(queue); });
    }
    CapturingBackend& backend;
    Tape tape;
  };

  static void refuse_in_capture(const char* what) {
    if (Tape::current() != nullptr) fail(ErrorKind::internal, what, " inside a capture");
  }

  CaptureCounts& counts_;
};

/// The device `channels_last(Fusion::none)`, which is the CUDA backend but for NVIDIA's libraries, with
/// Programs taken down; `counts` must outlive it.
inline Device capturing_device(CaptureCounts& counts) {
  const KernelTable& kernels = taped_kernels();
  return Device("capturing", 1,
                std::make_unique<CapturingBackend>(channels_last_backend(kernels, Fusion::none), counts),
                kernels);
}

}  // namespace inocula::test
