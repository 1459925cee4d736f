// A backend that hands everything on to another, for tests and benchmarks that watch or refuse a part of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend.h"

namespace inocula::test {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  std::string describe() const override { return inner_->describe(); }
  bool supports(Precision precision) const override { return inner_->supports(precision); }
  std::int64_t block(std::int64_t channels, Element element) const override {
    return inner_->block(channels, element);
  }
  std::size_t core_cache_bytes() const override { return inner_->core_cache_bytes(); }
  void* allocate(std::size_t bytes, Contents contents) override { return inner_->allocate(bytes, contents); }
  void release(void* memory, std::size_t bytes) override { inner_->release(memory, bytes); }
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
  std::vector<ConvChoice> choices() const override { return inner_->choices(); }
  void run(const std::function<void(const Queue&)>& work) override { inner_->run(work); }
  void require_enqueued(const std::string& step) override { inner_->require_enqueued(step); }
  std::unique_ptr<Replay> capture(const std::vector<NamedLaunch>& steps) override {
    return inner_->capture(steps);
  }
  std::unique_ptr<Stopwatch> make_stopwatch() const override { return inner_->make_stopwatch(); }
  void copy(void* to, const void* from, std::size_t bytes) override { inner_->copy(to, from, bytes); }
  void synchronize() override { inner_->synchronize(); }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace inocula::test
