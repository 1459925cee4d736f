// Recording element-wise layers.
#include "engine/layers/pointwise.h"

namespace inocula {

Tensor pass_gradient(Recorder& r, const Tensor& dy, const GradientSink& sink) {
  if (!sink.add && !sink.mask) return dy;
  const Tensor dx = r.make("joined gradient", dy.shape, dy.dtype, dy.layout);
  const PlaneShape planes = r.planes(dy);
  r.kernel("gradient.join", r.kernels().join_gradient, [=](Access& at) {
    return JoinGradient{at.in<void>(dy),  nullptr, at.in<void>(sink.add), at.in<std::uint8_t>(sink.mask),
                        at.out<void>(dx), planes};
  });
  return dx;
}

void PointwiseLayer::forward(Recorder& r, ParameterTensors&, LayerTrace& trace) {
  const Tensor x = trace.x[0], residual = add_ ? trace.x[1] : Tensor{};
  const Tensor y = r.make(name_ + " output", x.shape, x.dtype, x.layout);
  const Tensor sign = keep_sign_ ? r.make(name_ + " signs", x.shape, DType::bits, x.layout) : Tensor{};
  const PlaneShape planes = r.planes(x);
  const Activation activation = relu_ ? Activation::relu : Activation::none;
  r.kernel("pointwise.forward", r.kernels().affine, [=](Access& at) {
    return Affine{at.in<void>(x),  nullptr,
                  nullptr,         at.in<void>(residual),
                  at.out<void>(y), at.out<std::uint8_t>(sign),
                  planes,          activation};
  });
  trace.y = y;
  trace.sign = sign;
}

Tensor PointwiseLayer::backward_data(Recorder& r, ParameterTensors&, LayerTrace& trace, std::size_t,
                                     const GradientSink& sink) {
  return pass_gradient(r, trace.dy, sink);  // dy is masked by this layer's own signs already
}

NormalizeLayer::NormalizeLayer(const Device& device, const std::vector<float>& mean,
                               const std::vector<float>& std)
    : channels_(static_cast<std::int64_t>(mean.size())) {
  std::vector<float> values;
  for (const float s : std) values.push_back(1.0f / s);
  for (std::size_t c = 0; c < mean.size(); ++c) values.push_back(-mean[c] / std[c]);
  constants_ = std::make_shared<Buffer>(device, values.size() * sizeof(float));
  constants_->upload(values.data(), values.size());
}

void NormalizeLayer::prepare(Recorder& r, ParameterTensors&) {
  r.keep(constants_);
  scale_ = r.external("normalize scale", constants_->as<float>(), {1, channels_, 1, 1});
  shift_ = r.external("normalize shift", constants_->as<float>() + channels_, {1, channels_, 1, 1});
}

void NormalizeLayer::forward(Recorder& r, ParameterTensors&, LayerTrace& trace) {
  const Tensor x = trace.x[0], scale = scale_, shift = shift_;
  const Tensor y = trace.y = r.make("normalized images", x.shape);
  const PlaneShape planes = r.planes(x);
  r.kernel("normalize.forward", r.kernels().affine, [=](Access& at) {
    return Affine{at.in(x),  at.in(scale), at.in(shift), nullptr,
                  at.out(y), nullptr,      planes,       Activation::none};
  });
}

Tensor NormalizeLayer::backward_data(Recorder& r, ParameterTensors&, LayerTrace& trace, std::size_t,
                                     const GradientSink& sink) {
  const Tensor dy = trace.dy, scale = scale_;
  const Tensor dx = r.make("image gradient", dy.shape);
  const PlaneShape planes = r.planes(dy);
  r.kernel("normalize.backward_data", r.kernels().join_gradient, [=](Access& at) {
    return JoinGradient{at.in(dy),  at.in(scale), at.in(sink.add), at.in<std::uint8_t>(sink.mask),
                        at.out(dx), planes};
  });
  return dx;
}

}  // namespace inocula
