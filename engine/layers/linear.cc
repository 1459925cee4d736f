// Recording the fully connected layer.
#include "engine/layers/linear.h"

#include "engine/layers/relayout.h"

namespace inocula {

void LinearLayer::forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) {
  const Tensor flat = as_plain(r, trace.x[0], name_ + " flattened input");
  trace.kept.resize(kKeptCount);
  trace.kept[kFlat] = flat;
  const Tensor w = p.weight(name_ + ".weight"), bias = bias_ ? p.weight(name_ + ".bias") : Tensor{};
  const Tensor y = trace.y = r.make(name_ + " output", {flat.shape.n, out_features_, 1, 1});
  const std::int64_t rows = flat.shape.n, in = flat.shape.per_sample(), out = out_features_;
  r.kernel("linear.forward", r.kernels().linear_forward, [=](Access& at) {
    return LinearForward{at.in(flat), at.in(w), at.in(bias), at.out(y), rows, in, out};
  });
}

Tensor LinearLayer::backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t,
                                  const GradientSink& sink) {
  const Tensor x = trace.x[0], dy = trace.dy, w = p.weight(name_ + ".weight");
  const Tensor dx = r.make(name_ + " input gradient", x.shape);
  const std::int64_t rows = x.shape.n, in = x.shape.per_sample(), out = out_features_;
  r.kernel("linear.backward_data", r.kernels().linear_backward_data,
           [=](Access& at) { return LinearBackwardData{at.in(dy), at.in(w), at.out(dx), rows, in, out}; });
  return pass_gradient(r, stored_like(r, dx, x, name_ + " input gradient"), sink);
}

void LinearLayer::backward_params(Recorder& r, ParameterTensors& p, LayerTrace& trace) {
  const Tensor flat = trace.kept[kFlat], dy = trace.dy;
  const Tensor dw = p.gradient(name_ + ".weight"), dbias = bias_ ? p.gradient(name_ + ".bias") : Tensor{};
  const std::int64_t rows = flat.shape.n, in = flat.shape.per_sample(), out = out_features_;
  r.kernel("linear.backward_params", r.kernels().linear_backward_params, [=](Access& at) {
    return LinearBackwardParams{at.in(flat), at.in(dy), at.inout(dw), at.inout(dbias), rows, in, out};
  });
}

}  // namespace inocula
