// A CPU backend that can time each convolution of a step by itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "engine/backends/cpu/backend.h"
#include "engine/device.h"
#include "tests/engine/forwarding_backend.h"

namespace inocula::bench {

/// What convolutions took, alone.
struct ConvolutionWatch {
  bool watching = false;
  double seconds = 0;
};

/// While it is watched every convolution runs twice, and the second time, with the same operands and all of
/// them in the caches that they fit into, is counted: as a benchmark of that convolution alone would time it.
/// What is added up is added twice then: a step that is watched computes nothing of use.
class WatchedBackend final : public test::ForwardingBackend {
 public:
  WatchedBackend(std::unique_ptr<Backend> inner, ConvolutionWatch& watch)
      : ForwardingBackend(std::move(inner)), watch_(watch) {}

  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    return watched(ForwardingBackend::conv_forward(g, e));
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    return watched(ForwardingBackend::conv_backward_data(g, e));
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    return watched(ForwardingBackend::conv_backward_weights(g));
  }

 private:
  class WatchedConv final : public PreparedConv {
   public:
    WatchedConv(std::shared_ptr<PreparedConv> inner, ConvolutionWatch& watch)
        : inner_(std::move(inner)), watch_(watch) {}

    std::size_t weight_bytes() const override { return inner_->weight_bytes(); }
    bool scales_channels() const override { return inner_->scales_channels(); }
    std::string weight_form() const override { return inner_->weight_form(); }
    std::size_t weight_scratch_bytes() const override { return inner_->weight_scratch_bytes(); }
    Launch bind_weights(const float* plain, const float* scale, void* prepared, void* scratch) override {
      return inner_->bind_weights(plain, scale, prepared, scratch);
    }
    std::size_t scratch_bytes() const override { return inner_->scratch_bytes(); }
    Launch bind(const ConvOperands& operands) override {
      return [launch = inner_->bind(operands), &watch = watch_](const Queue& queue) {
        launch(queue);
        if (!watch.watching) return;
        const auto begin = std::chrono::steady_clock::now();
        launch(queue);
        watch.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      };
    }
    std::string algorithm() const override { return inner_->algorithm(); }

   private:
    std::shared_ptr<PreparedConv> inner_;
    ConvolutionWatch& watch_;
  };

  std::shared_ptr<PreparedConv> watched(std::shared_ptr<PreparedConv> conv) const {
    return std::make_shared<WatchedConv>(std::move(conv), watch_);
  }

  ConvolutionWatch& watch_;
};

/// The CPU as `device` is opened, watched; `watch` must outlive it.
inline Device watched_device(const Device& device, ConvolutionWatch& watch) {
  return Device(device.name(), device.threads(),
                std::make_unique<WatchedBackend>(
                    cpu::make_backend(device.kernels(), device.threads(), /*precise=*/false), watch),
                device.kernels());
}

}  // namespace inocula::bench
