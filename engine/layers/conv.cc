// Recording a convolution's passes.
#include "engine/layers/conv.h"

#include <utility>

#include "engine/error.h"

namespace inocula {

ConvLayer::ConvLayer(const Device& device, ConvLayerSpec spec) : device_(device), spec_(std::move(spec)) {
  const ConvEpilogue epilogue{.bias = spec_.bias || spec_.norm.has_value(),
                              .residual = spec_.residual,
                              .relu = spec_.relu,
                              .sign_bits = spec_.keep_sign};
  forward_ = device_.backend().conv_forward(spec_.geometry, epilogue);
  if (spec_.input_gradient) backward_data_ = device_.backend().conv_backward_data(spec_.geometry, {});
}

Reads ConvLayer::reads(Pass pass) const {
  switch (pass) {
    case Pass::forward:
      return {.input = true, .parameters = true};
    case Pass::backward_data:
      return {.parameters = true};
    default:
      return {.input = true};
  }
}

Tensor ConvLayer::prepare_weights(Recorder& r, ParameterTensors& p, const std::shared_ptr<PreparedConv>& conv,
                                  const char* pass) const {
  const Tensor plain = p.weight(spec_.name + ".weight");
  const Tensor scale = conv->scales_channels() ? Tensor{} : scale_;
  const std::string name = spec_.name + " weights for " + pass;
  PreparedConv* const step = conv.get();
  r.keep(conv);
  const auto make = [&] {
    const Tensor prepared =
        r.make(name, {1, static_cast<std::int64_t>(step->weight_bytes()), 1, 1}, DType::bytes);
    r.step("conv.prepare_weights", [=](Access& at) -> Launch {
      const float* from = at.in(plain);
      const float* by = at.in(scale);
      void* to = at.out<void>(prepared);
      void* scratch = at.scratch(step->weight_scratch_bytes());
      return to == nullptr ? Launch{} : step->bind_weights(from, by, to, scratch);
    });
    return prepared;
  };
  // An attack and the training that follows it read the same ones.
  return conv->scales_channels() ? r.derive(name + ", " + conv->algorithm(), plain, make) : make();
}

void ConvLayer::prepare(Recorder& r, ParameterTensors& p) {
  if (spec_.norm) {
    const std::string& norm = spec_.norm->name;
    const std::int64_t channels = spec_.geometry.out.c;
    const std::int64_t padded = device_.backend().padded_channels(channels);
    scale_ = r.make(norm + " scale", {1, padded, 1, 1});
    shift_ = r.make(norm + " shift", {1, padded, 1, 1});
    const Tensor gamma = p.weight(norm + ".weight"), beta = p.weight(norm + ".bias");
    const Tensor mean = p.running(norm + ".running_mean"), var = p.running(norm + ".running_var");
    const Tensor bias = spec_.bias ? p.weight(spec_.name + ".bias") : Tensor{};
    const Tensor scale = scale_, shift = shift_;
    const float eps = spec_.norm->eps;
    r.kernel("norm.fold", r.kernels().fold_norm, [=](Access& at) {
      return FoldNorm{at.in(gamma),  at.in(beta),   at.in(mean), at.in(var), at.in(bias),
                      at.out(scale), at.out(shift), channels,    padded,     eps};
    });
  }
  forward_weights_ = prepare_weights(r, p, forward_, "forward");
  if (!backward_data_) return;
  const std::string form = backward_data_->weight_form();
  backward_weights_ = !form.empty() && form == forward_->weight_form()
                          ? forward_weights_
                          : prepare_weights(r, p, backward_data_, "backward");
}

void ConvLayer::forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) {
  const Tensor x = trace.x[0], residual = spec_.residual ? trace.x[1] : Tensor{};
  if (!trace.y)
    trace.y =
        r.make(spec_.name + " output", spec_.geometry.out, dtype_of(spec_.geometry.element), Layout::blocked);
  if (!trace.sign && spec_.keep_sign)
    trace.sign = r.make(spec_.name + " signs", spec_.geometry.out, DType::bits, Layout::blocked);
  const Tensor y = trace.y, sign = trace.sign;
  const Tensor bias = spec_.norm ? shift_ : spec_.bias ? p.weight(spec_.name + ".bias") : Tensor{};
  const Tensor weights = forward_weights_, scale = forward_->scales_channels() ? scale_ : Tensor{};
  r.conv("conv.forward", forward_, [=](Access& at) {
    ConvOperands o;
    o.x = at.in<void>(x);
    o.weights = at.in<void>(weights);
    o.scale = at.in(scale);
    o.bias = at.in(bias);
    o.residual = at.in<void>(residual);
    o.y = at.out<void>(y);
    o.sign_bits = at.out<std::uint8_t>(sign);
    return o;
  });
}

Tensor ConvLayer::backward_data(Recorder& r, ParameterTensors&, LayerTrace& trace, std::size_t input,
                                const GradientSink& sink) {
  if (input == 1) return pass_gradient(r, trace.dy, sink);
  const auto conv = device_.backend().conv_backward_data(
      spec_.geometry, {.add = static_cast<bool>(sink.add), .mask = static_cast<bool>(sink.mask)});
  const Tensor x = trace.x[0];
  const Tensor dx = r.make(spec_.name + " input gradient", x.shape, x.dtype, x.layout);
  const Tensor dy = trace.dy, weights = backward_weights_,
               scale = conv->scales_channels() ? scale_ : Tensor{};
  r.conv("conv.backward_data", conv, [=](Access& at) {
    ConvOperands o;
    o.dy = at.in<void>(dy);
    o.weights = at.in<void>(weights);
    o.scale = at.in(scale);
    o.add = at.in<void>(sink.add);
    o.mask = at.in<std::uint8_t>(sink.mask);
    o.dx = at.out<void>(dx);
    return o;
  });
  return dx;
}

void ConvLayer::backward_params(Recorder& r, ParameterTensors& p, LayerTrace& trace) {
  if (spec_.norm)
    fail(ErrorKind::usage, "batch norm '", spec_.norm->name,
         "': its parameters cannot be trained with frozen statistics");
  const auto conv = device_.backend().conv_backward_weights(spec_.geometry);
  const Tensor x = trace.x[0], dy = trace.dy;
  const Tensor dw = p.gradient(spec_.name + ".weight");
  const Tensor dbias = spec_.bias ? p.gradient(spec_.name + ".bias") : Tensor{};
  r.conv("conv.backward_params", conv, [=](Access& at) {
    ConvOperands o;
    o.x = at.in<void>(x);
    o.dy = at.in<void>(dy);
    o.dw = at.inout(dw);
    o.dbias = at.inout(dbias);
    return o;
  });
}

}  // namespace inocula
