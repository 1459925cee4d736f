// Winograd's kernels bound to a convolution's geometry and operands.
#include "engine/backends/cpu/winograd_conv.h"

#include <string>

namespace inocula::cpu {

namespace {

std::int64_t blocks_of(std::int64_t channels, std::int64_t block) {
  return (channels + block - 1) / block;
}

bool applies(const ConvGeometry& g) {
  const ConvWindow& w = g.window;
  return g.in_layout == Layout::blocked && g.element == Element::f32 && g.groups == 1 && w.kernel_h == 3 &&
         w.kernel_w == 3 && w.stride_h == 1 && w.stride_w == 1 && w.dilation_h == 1 && w.dilation_w == 1 &&
         w.pad_h <= 2 && w.pad_w <= 2;
}

/// The pass from x to y.
std::optional<WinogradShape> forward_shape(const ConvGeometry& g, std::int64_t block) {
  const std::optional<WinogradTile> tile = choose_tile(g.out.h, g.out.w);
  if (!applies(g) || !tile || find_winograd_kernels(block) == nullptr) return {};
  return WinogradShape{.tile = *tile,
                       .lanes = block,
                       .batch = g.in.n,
                       .in_blocks = blocks_of(g.in.c, block),
                       .out_blocks = blocks_of(g.out.c, block),
                       .in_h = g.in.h,
                       .in_w = g.in.w,
                       .out_h = g.out.h,
                       .out_w = g.out.w,
                       .pad_h = g.window.pad_h,
                       .pad_w = g.window.pad_w};
}

/// The pass from dy to dx: a convolution again, of turned filters, with what is left of a window as padding.
std::optional<WinogradShape> backward_shape(const ConvGeometry& g, std::int64_t block) {
  ConvGeometry turned = g;
  turned.in = g.out;
  turned.out = g.in;
  turned.window.pad_h = 2 - g.window.pad_h;
  turned.window.pad_w = 2 - g.window.pad_w;
  return forward_shape(turned, block);
}

std::string name(const WinogradKernels& kernels, WinogradTile tile) {
  const std::string m = std::to_string(tile_outputs(tile));
  return "own winograd F(" + m + "x" + m + ",3x3):" + kernels.target;
}

/// Forward and backward-data.
class WinogradConv final : public PreparedConv {
 public:
  WinogradConv(const ConvGeometry& g, const WinogradShape& shape, bool backward, bool relu, int threads)
      : kernels_(*find_winograd_kernels(shape.lanes)), threads_(threads) {
    weights_.outputs = g.out.c;
    weights_.inputs = g.in.c;
    weights_.transposed = backward;
    weights_.shape = convolve_.shape = shape;
    convolve_.blocking = choose_blocking(shape, threads);
    convolve_.relu = relu;
  }

  std::size_t weight_bytes() const override {
    return static_cast<std::size_t>(weights_.shape.weights_size()) * sizeof(float);
  }
  /// Filters of every scale: see bind.
  bool scales_channels() const override { return true; }
  Launch bind_weights(const float* plain, const float*, void* prepared, void*) override {
    WinogradWeights a = weights_;
    a.plain = plain;
    a.u = static_cast<float*>(prepared);
    return [function = kernels_.transform_weights, a](const Queue& queue) { function(queue, a); };
  }

  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(convolve_scratch(convolve_.shape, convolve_.blocking, threads_)) *
           sizeof(float);
  }
  /// Operands of the other pass are null.
  Launch bind(const ConvOperands& o) override {
    WinogradConvolve a = convolve_;
    const bool backward = weights_.transposed;
    a.x = static_cast<const float*>(backward ? o.dy : o.x);
    a.u = static_cast<const float*>(o.weights);
    a.y = static_cast<float*>(backward ? o.dx : o.y);
    a.add = static_cast<const float*>(backward ? o.add : o.residual);
    (backward ? a.in_scale : a.out_scale) = o.scale;
    a.bias = o.bias;
    a.mask = o.mask;
    a.positive = o.sign_bits;
    a.scratch = static_cast<float*>(o.scratch);
    return [function = kernels_.convolve, a](const Queue& queue) { function(queue, a); };
  }

  std::string algorithm() const override { return name(kernels_, weights_.shape.tile); }

 private:
  const WinogradKernels& kernels_;
  int threads_;
  WinogradWeights weights_;    ///< without addresses
  WinogradConvolve convolve_;  ///< without addresses
};

class WinogradBackwardWeights final : public PreparedConv {
 public:
  WinogradBackwardWeights(const KernelTable& kernels, const ConvGeometry& g, const WinogradShape& shape,
                          int threads)
      : kernels_(kernels),
        own_(*find_winograd_kernels(shape.lanes)),
        threads_(threads),
        dy_{g.out.n, g.out.c, g.out.h, g.out.w, shape.lanes} {
    gradient_.shape = shape;
    gradient_.blocking = choose_gradient_blocking(shape, threads);
    gradient_.outputs = g.out.c;
    gradient_.inputs = g.in.c;
  }

  /// The bias's partial sums come after what the weights' gradient needs.
  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(gradient_size() + dy_.batch * dy_.padded_channels()) * sizeof(float);
  }
  Launch bind(const ConvOperands& o) override {
    WinogradWeightGradient a = gradient_;
    a.x = static_cast<const float*>(o.x);
    a.dy = static_cast<const float*>(o.dy);
    a.dw = o.dw;
    a.scratch = static_cast<float*>(o.scratch);
    const AddChannelSums sums{o.dy, o.dbias, a.scratch + gradient_size(), dy_};
    return
        [function = own_.weight_gradient, add_sums = kernels_.add_channel_sums, a, sums](const Queue& queue) {
          function(queue, a);
          if (sums.sum != nullptr) add_sums(queue, sums);
        };
  }

  std::string algorithm() const override { return name(own_, gradient_.shape.tile); }

 private:
  std::int64_t gradient_size() const {
    return weight_gradient_scratch(gradient_.shape, gradient_.blocking, threads_);
  }

  const KernelTable& kernels_;
  const WinogradKernels& own_;
  int threads_;
  PlaneShape dy_;
  WinogradWeightGradient gradient_;  ///< without addresses
};

}  // namespace

std::optional<WinogradTile> choose_tile(std::int64_t height, std::int64_t width) {
  // Products an output. A direct convolution has 9, which its smoother way through memory makes about 5; a
  // larger tile, whose errors are larger, has to save a tenth.
  constexpr double kGain = 1.1;
  double fewest = 5 * kGain;
  std::optional<WinogradTile> best;
  for (const WinogradTile tile : {WinogradTile::f4, WinogradTile::f7, WinogradTile::f8}) {
    const WinogradShape s{.tile = tile, .batch = 1, .out_h = height, .out_w = width};
    const double products = static_cast<double>(s.tiles() * s.points()) / static_cast<double>(height * width);
    if (products * kGain < fewest) {
      fewest = products;
      best = tile;
    }
  }
  return best;
}

std::shared_ptr<PreparedConv> make_winograd_forward(const ConvGeometry& g, const ConvEpilogue& e,
                                                    std::int64_t block, int threads) {
  const std::optional<WinogradShape> shape = forward_shape(g, block);
  if (!shape) return nullptr;
  return std::make_shared<WinogradConv>(g, *shape, /*backward=*/false, e.relu, threads);
}

std::shared_ptr<PreparedConv> make_winograd_backward_data(const ConvGeometry& g, std::int64_t block,
                                                          int threads) {
  const std::optional<WinogradShape> shape = backward_shape(g, block);
  if (!shape) return nullptr;
  return std::make_shared<WinogradConv>(g, *shape, /*backward=*/true, /*relu=*/false, threads);
}

std::shared_ptr<PreparedConv> make_winograd_backward_weights(const KernelTable& kernels,
                                                             const ConvGeometry& g, std::int64_t block,
                                                             int threads) {
  const std::optional<WinogradShape> shape = forward_shape(g, block);
  if (!shape) return nullptr;
  return std::make_shared<WinogradBackwardWeights>(kernels, g, *shape, threads);
}

}  // namespace inocula::cpu
