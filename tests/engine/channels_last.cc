// A backend of host memory around the CUDA backend's convolutions.
#include "tests/engine/channels_last.h"

#include <cstring>
#include <memory>
#include <utility>

#include "engine/backends/cpu/backend.h"
#include "engine/backends/cuda/conv.h"
#include "engine/device.h"
#include "tests/engine/forwarding_backend.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

class ChannelsLastBackend final : public ForwardingBackend {
 public:
  ChannelsLastBackend(const KernelTable& kernels, Fusion fusion)
      : ForwardingBackend(inocula::cpu::make_backend(kernels, 1, true)),
        cudnn_(stand_in_for_cudnn(fusion, nullptr)),
        convolutions_(kernels, *cudnn_, {}) {}

  /// Undefined memory is full of NaN, so that who reads it is seen.
  void* allocate(std::size_t bytes, Contents contents) override {
    void* const memory = ForwardingBackend::allocate(bytes, contents);
    if (contents == Contents::undefined) std::memset(memory, 0xFF, bytes);
    return memory;
  }
  bool supports(Precision) const override { return true; }
  std::size_t core_cache_bytes() const override { return 0; }  // as on a GPU: whole batches
  std::int64_t block(std::int64_t channels, Element) const override {
    return cuda::stored_channels(channels);
  }
  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    return convolutions_.forward(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    return convolutions_.backward_data(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    return convolutions_.backward_weights(g);
  }
  std::vector<ConvChoice> choices() const override { return convolutions_.choices(); }

 private:
  std::unique_ptr<cuda::Cudnn> cudnn_;
  cuda::ConvFactory convolutions_;
};

Device make_device(Fusion fusion) {
  const KernelTable& kernels = cpu().kernels();
  return Device("channels-last", 1, channels_last_backend(kernels, fusion), kernels);
}

}  // namespace

std::unique_ptr<Backend> channels_last_backend(const KernelTable& kernels, Fusion fusion) {
  return std::make_unique<ChannelsLastBackend>(kernels, fusion);
}

const Device& channels_last(Fusion fusion) {
  static const Device none = make_device(Fusion::none), all = make_device(Fusion::all);
  return fusion == Fusion::none ? none : all;
}

}  // namespace inocula::test
