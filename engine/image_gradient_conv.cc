// image_gradient behind PreparedConv.
#include "engine/image_gradient_conv.h"

#include <string>

namespace inocula {

namespace {

class ImageGradientConv final : public PreparedConv {
 public:
  ImageGradientConv(const KernelTable& kernels, const ConvGeometry& g, const GradientEpilogue& e,
                    const PlaneShape& out)
      : kernels_(kernels), epilogue_(e), images_{g.in.n, g.in.c, g.in.h, g.in.w} {
    packing_.outputs = out.channels;
    packing_.inputs = packing_.padded_inputs = g.in.c;
    packing_.taps = g.window.kernel_h * g.window.kernel_w;
    packing_.padded_outputs = out.padded_channels();
    packing_.order = WeightOrder::tap_input_output;

    const ConvWindow& w = g.window;
    gradient_.out = out;
    gradient_.channels = g.in.c;
    gradient_.height = g.in.h;
    gradient_.width = g.in.w;
    gradient_.kernel_h = w.kernel_h;
    gradient_.kernel_w = w.kernel_w;
    gradient_.stride_h = w.stride_h;
    gradient_.stride_w = w.stride_w;
    gradient_.pad_h = w.pad_h;
    gradient_.pad_w = w.pad_w;
    gradient_.dilation_h = w.dilation_h;
    gradient_.dilation_w = w.dilation_w;
  }

  std::size_t weight_bytes() const override {
    return static_cast<std::size_t>(packing_.packed_size()) * sizeof(float);
  }
  Launch bind_weights(const float* plain, const float* scale, void* prepared, void*) override {
    PackWeights a = packing_;
    a.plain = plain;
    a.scale = scale;
    a.packed = prepared;
    return [function = kernels_.pack_weights, a](const Queue& queue) { function(queue, a); };
  }

  std::size_t scratch_bytes() const override { return 0; }

  Launch bind(const ConvOperands& o) override {
    ImageGradient image = gradient_;
    image.dy = o.dy;
    image.weights = static_cast<const float*>(o.weights);
    image.dx = static_cast<float*>(o.dx);
    const JoinGradient joining{o.dx, nullptr, o.add, o.mask, o.dx, images_};
    return [image, joining, this](const Queue& queue) {
      kernels_.image_gradient(queue, image);
      if (epilogue_.add || epilogue_.mask) kernels_.join_gradient(queue, joining);
    };
  }

  std::string algorithm() const override { return std::string("own image_gradient:") + kernels_.target; }

 private:
  const KernelTable& kernels_;
  GradientEpilogue epilogue_;
  PlaneShape images_;
  PackWeights packing_;     ///< without addresses
  ImageGradient gradient_;  ///< without addresses
};

}  // namespace

bool reaches_few_channels(const ConvGeometry& g) {
  return g.in_layout == Layout::plain && g.in.c <= kMaxImageChannels && g.groups == 1;
}

std::shared_ptr<PreparedConv> make_image_gradient_conv(const KernelTable& kernels, const ConvGeometry& g,
                                                       const GradientEpilogue& e, const PlaneShape& out) {
  return std::make_shared<ImageGradientConv>(kernels, g, e, out);
}

}  // namespace inocula
