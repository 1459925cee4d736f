// Recording batch normalisation's passes.
#include "engine/layers/norm.h"

#include "engine/error.h"

namespace inocula {

Reads NormLayer::reads(Pass pass) const {
  if (pass == Pass::forward) return {.input = true, .parameters = true};
  if (spec_.mode == NormMode::frozen)
    return {.parameters = true};  // as the scale that was prepared from them
  return {.input = true, .kept = true};
}

namespace {

Tensor channel_vector(Recorder& r, const std::string& name, const Tensor& like) {
  const PlaneShape planes = r.planes(like);
  return r.make(name, {1, planes.padded_channels(), 1, 1});
}

}  // namespace

void NormLayer::prepare(Recorder& r, ParameterTensors& p) {
  if (spec_.mode != NormMode::frozen) return;
  const Tensor gamma = p.weight(spec_.name + ".weight"), beta = p.weight(spec_.name + ".bias");
  const Tensor mean = p.running(spec_.name + ".running_mean"), var = p.running(spec_.name + ".running_var");
  const std::int64_t channels = gamma.shape.c;
  const std::int64_t padded = r.device().backend().padded_channels(channels);
  const Tensor scale = frozen_scale_ = r.make(spec_.name + " scale", {1, padded, 1, 1});
  const Tensor shift = frozen_shift_ = r.make(spec_.name + " shift", {1, padded, 1, 1});
  const float eps = spec_.eps;
  r.kernel("norm.fold", r.kernels().fold_norm, [=](Access& at) {
    return FoldNorm{at.in(gamma),  at.in(beta),   at.in(mean), at.in(var), nullptr,
                    at.out(scale), at.out(shift), channels,    padded,     eps};
  });
}

void NormLayer::record_statistics(Recorder& r, ParameterTensors& p, LayerTrace& trace) const {
  const Tensor x = trace.x[0];
  const Tensor gamma = p.weight(spec_.name + ".weight"), beta = p.weight(spec_.name + ".bias");
  const bool update = spec_.mode == NormMode::batch;
  const Tensor running_mean = update ? p.running(spec_.name + ".running_mean") : Tensor{};
  const Tensor running_var = update ? p.running(spec_.name + ".running_var") : Tensor{};
  const std::vector<Tensor> kept = trace.kept;
  const PlaneShape planes = r.planes(x);
  const float eps = spec_.eps, momentum = spec_.momentum;
  r.kernel("norm.statistics", r.kernels().batch_statistics, [=](Access& at) {
    BatchStatistics a;
    a.x = at.in<void>(x);
    a.gamma = at.in(gamma);
    a.beta = at.in(beta);
    a.mean = at.out(kept[kMean]);
    a.rstd = at.out(kept[kRstd]);
    a.scale = at.out(kept[kScale]);
    a.shift = at.out(kept[kShift]);
    a.running_mean = at.inout(running_mean);
    a.running_var = at.inout(running_var);
    a.partial = at.scratch<float>(sizeof(float) * 2 * planes.planes() * planes.block);
    a.shape = planes;
    a.eps = eps;
    a.momentum = momentum;
    return a;
  });
}

void NormLayer::forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) {
  const Tensor x = trace.x[0], residual = spec_.residual ? trace.x[1] : Tensor{};
  Tensor scale = frozen_scale_, shift = frozen_shift_;
  if (spec_.mode != NormMode::frozen) {
    trace.kept.resize(kKeptCount);
    trace.kept[kMean] = channel_vector(r, spec_.name + " mean", x);
    trace.kept[kRstd] = channel_vector(r, spec_.name + " rstd", x);
    scale = trace.kept[kScale] = channel_vector(r, spec_.name + " scale", x);
    shift = trace.kept[kShift] = channel_vector(r, spec_.name + " shift", x);
    record_statistics(r, p, trace);
  }
  const Tensor y = r.make(spec_.name + " output", x.shape, x.dtype, x.layout);
  const Tensor sign =
      spec_.keep_sign ? r.make(spec_.name + " signs", x.shape, DType::bits, x.layout) : Tensor{};
  const Activation activation = spec_.relu ? Activation::relu : Activation::none;
  const PlaneShape planes = r.planes(x);
  r.kernel("norm.forward", r.kernels().affine, [=](Access& at) {
    return Affine{at.in<void>(x),  at.in(scale),
                  at.in(shift),    at.in<void>(residual),
                  at.out<void>(y), at.out<std::uint8_t>(sign),
                  planes,          activation};
  });
  trace.y = y;
  trace.sign = sign;
}

void NormLayer::record_sums(Recorder& r, ParameterTensors& p, LayerTrace& trace, bool params) const {
  if (trace.kept[kSumDy]) return;
  const Tensor x = trace.x[0], dy = trace.dy;
  trace.kept[kSumDy] = channel_vector(r, spec_.name + " sum of dy", x);
  trace.kept[kSumDyXhat] = channel_vector(r, spec_.name + " sum of dy xhat", x);
  const Tensor dgamma = params ? p.gradient(spec_.name + ".weight") : Tensor{};
  const Tensor dbeta = params ? p.gradient(spec_.name + ".bias") : Tensor{};
  const std::vector<Tensor> kept = trace.kept;
  const PlaneShape planes = r.planes(x);
  r.kernel("norm.gradient_sums", r.kernels().norm_gradient_sums, [=](Access& at) {
    NormGradientSums a;
    a.x = at.in<void>(x);
    a.dy = at.in<void>(dy);
    a.mean = at.in(kept[kMean]);
    a.rstd = at.in(kept[kRstd]);
    a.sum_dy = at.out(kept[kSumDy]);
    a.sum_dy_xhat = at.out(kept[kSumDyXhat]);
    a.dgamma = at.inout(dgamma);
    a.dbeta = at.inout(dbeta);
    a.partial = at.scratch<float>(sizeof(float) * 2 * planes.planes() * planes.block);
    a.shape = planes;
    return a;
  });
}

void NormLayer::backward_params(Recorder& r, ParameterTensors& p, LayerTrace& trace) {
  if (spec_.mode == NormMode::frozen)
    fail(ErrorKind::usage, "batch norm '", spec_.name,
         "': its parameters cannot be trained with frozen statistics");
  record_sums(r, p, trace, true);
}

Tensor NormLayer::backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                                const GradientSink& sink) {
  if (input == 1) return pass_gradient(r, trace.dy, sink);
  const Tensor x = trace.x[0], dy = trace.dy;
  const PlaneShape planes = r.planes(x);
  const Tensor dx = r.make(spec_.name + " input gradient", x.shape, x.dtype, x.layout);
  if (spec_.mode == NormMode::frozen) {
    const Tensor scale = frozen_scale_;
    r.kernel("norm.backward_data", r.kernels().join_gradient, [=](Access& at) {
      return JoinGradient{at.in<void>(dy),       at.in(scale),
                          at.in<void>(sink.add), at.in<std::uint8_t>(sink.mask),
                          at.out<void>(dx),      planes};
    });
    return dx;
  }
  record_sums(r, p, trace, false);
  const std::vector<Tensor> kept = trace.kept;
  r.kernel("norm.backward_data", r.kernels().norm_backward, [=](Access& at) {
    return NormBackward{at.in<void>(x),
                        at.in<void>(dy),
                        at.in(kept[kMean]),
                        at.in(kept[kRstd]),
                        at.in(kept[kScale]),
                        at.in(kept[kSumDy]),
                        at.in(kept[kSumDyXhat]),
                        at.in<void>(sink.add),
                        at.in<std::uint8_t>(sink.mask),
                        at.out<void>(dx),
                        planes};
  });
  return dx;
}

}  // namespace inocula
