// AMX's kernels bound to a convolution's geometry and operands.
#include "engine/backends/cpu/amx_conv.h"

#include <string>

#include "engine/backends/cpu/amx/pass.h"
#include "engine/backends/cpu/backend.h"

namespace inocula::cpu {

namespace {

bool applies(const ConvGeometry& g) {
  return g.in_layout == Layout::blocked && g.element == Element::bf16 && g.groups == 1 &&
         find_amx_kernels() != nullptr;
}

PlaneShape planes(const Shape& s, std::int64_t block) {
  return {s.n, s.c, s.h, s.w, stored_block(s.c, Element::bf16, block), Element::bf16};
}

/// Forward and backward-data.
class AmxConv final : public PreparedConv {
 public:
  AmxConv(const ConvGeometry& g, AmxDirection direction, bool relu, std::int64_t block, int threads)
      : kernels_(*find_amx_kernels()),
        forward_(direction == AmxDirection::forward),
        threads_(threads),
        pass_(g.window, direction, planes(forward_ ? g.in : g.out, block),
              planes(forward_ ? g.out : g.in, block), threads) {
    weights_.outputs = g.out.c;
    weights_.inputs = g.in.c;
    weights_.window_h = g.window.kernel_h;
    weights_.window_w = g.window.kernel_w;
    weights_.transposed = !forward_;
    weights_.shape = convolve_.shape = pass_.shape();
    convolve_.relu = relu;
  }

  std::size_t weight_bytes() const override {
    return static_cast<std::size_t>(pass_.weights_size()) * sizeof(Bf16);
  }
  /// On the way out it costs nothing and no rounding; on the way in it would round what is bf16 already.
  bool scales_channels() const override { return forward_; }
  Launch bind_weights(const float* plain, const float* scale, void* prepared, void*) override {
    AmxWeights a = weights_;
    a.plain = plain;
    a.scale = scale;
    a.to = static_cast<Bf16*>(prepared);
    return [function = kernels_.prepare_weights, a](const Queue& queue) { function(queue, a); };
  }

  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(threads_ * amx_scratch(pass_.shape())) * sizeof(Bf16);
  }
  /// Operands of the other pass are null.
  Launch bind(const ConvOperands& o) override {
    AmxConvolve a = convolve_;
    a.x = static_cast<const Bf16*>(forward_ ? o.x : o.dy);
    a.weights = static_cast<const Bf16*>(o.weights);
    a.y = static_cast<Bf16*>(forward_ ? o.y : o.dx);
    a.add = static_cast<const Bf16*>(forward_ ? o.residual : o.add);
    a.scale = o.scale;
    a.bias = o.bias;
    a.mask = o.mask;
    a.positive = o.sign_bits;
    a.scratch = static_cast<Bf16*>(o.scratch);
    return [function = kernels_.convolve, a](const Queue& queue) { function(queue, a); };
  }

  std::string algorithm() const override { return "own direct:amx_bf16"; }

 private:
  const AmxKernels& kernels_;
  bool forward_;
  int threads_;
  AmxPass pass_;
  AmxWeights weights_;    ///< without addresses
  AmxConvolve convolve_;  ///< without addresses
};

}  // namespace

std::shared_ptr<PreparedConv> make_amx_forward(const ConvGeometry& g, const ConvEpilogue& e,
                                               std::int64_t block, int threads) {
  if (!applies(g)) return nullptr;
  return std::make_shared<AmxConv>(g, AmxDirection::forward, e.relu, block, threads);
}

std::shared_ptr<PreparedConv> make_amx_backward_data(const ConvGeometry& g, std::int64_t block, int threads) {
  if (!applies(g)) return nullptr;
  return std::make_shared<AmxConv>(g, AmxDirection::backward_data, /*relu=*/false, block, threads);
}

}  // namespace inocula::cpu
