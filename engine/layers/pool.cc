// Recording pooling layers.
#include "engine/layers/pool.h"

namespace inocula {

void MaxPoolLayer::forward(Recorder& r, ParameterTensors&, LayerTrace& trace) {
  const Tensor x = trace.x[0];
  const Tensor y = trace.y = r.make(name_ + " output", out_, x.dtype, x.layout);
  const Tensor arg = keep_arg_ ? r.make(name_ + " winners", out_, DType::bytes, x.layout) : Tensor{};
  trace.kept.resize(kKeptCount);
  trace.kept[kArg] = arg;
  const PlaneShape in = r.planes(x), out = r.planes(y);
  const PoolWindow window = window_;
  r.kernel("max_pool.forward", r.kernels().max_pool, [=](Access& at) {
    return MaxPool{at.in<void>(x), at.out<void>(y), at.out<std::uint8_t>(arg), in, out, window};
  });
}

Tensor MaxPoolLayer::backward_data(Recorder& r, ParameterTensors&, LayerTrace& trace, std::size_t,
                                   const GradientSink& sink) {
  const Tensor x = trace.x[0], dy = trace.dy, arg = trace.kept[kArg];
  const Tensor dx = r.make(name_ + " input gradient", x.shape, x.dtype, x.layout);
  const PlaneShape in = r.planes(x), out = r.planes(dy);
  const PoolWindow window = window_;
  r.kernel("max_pool.backward_data", r.kernels().max_pool_backward, [=](Access& at) {
    return MaxPoolBackward{at.in<void>(dy),
                           at.in<std::uint8_t>(arg),
                           at.in<void>(sink.add),
                           at.in<std::uint8_t>(sink.mask),
                           at.out<void>(dx),
                           in,
                           out,
                           window};
  });
  return dx;
}

void AveragePoolLayer::forward(Recorder& r, ParameterTensors&, LayerTrace& trace) {
  const Tensor x = trace.x[0];
  const Tensor y = trace.y = r.make(name_ + " output", out_, x.dtype, x.layout);
  const PlaneShape in = r.planes(x), out = r.planes(y);
  const PoolWindow window = window_;
  r.kernel("average_pool.forward", r.kernels().average_pool, [=](Access& at) {
    return AveragePool{at.in<void>(x), at.out<void>(y), in, out, window};
  });
}

Tensor AveragePoolLayer::backward_data(Recorder& r, ParameterTensors&, LayerTrace& trace, std::size_t,
                                       const GradientSink& sink) {
  const Tensor x = trace.x[0], dy = trace.dy;
  const Tensor dx = r.make(name_ + " input gradient", x.shape, x.dtype, x.layout);
  const PlaneShape in = r.planes(x), out = r.planes(dy);
  const PoolWindow window = window_;
  r.kernel("average_pool.backward_data", r.kernels().average_pool_backward, [=](Access& at) {
    return AveragePoolBackward{
        at.in<void>(dy), at.in<void>(sink.add), at.in<std::uint8_t>(sink.mask), at.out<void>(dx), in, out,
        window};
  });
  return dx;
}

void GlobalAveragePoolLayer::forward(Recorder& r, ParameterTensors&, LayerTrace& trace) {
  const Tensor x = trace.x[0];
  const Tensor y = trace.y = r.make(name_ + " output", {x.shape.n, x.shape.c, 1, 1});
  const PlaneShape in = r.planes(x);
  r.kernel("global_pool.forward", r.kernels().global_average_pool, [=](Access& at) {
    return GlobalAveragePool{at.in<void>(x), at.out(y), in};
  });
}

Tensor GlobalAveragePoolLayer::backward_data(Recorder& r, ParameterTensors&, LayerTrace& trace, std::size_t,
                                             const GradientSink& sink) {
  const Tensor x = trace.x[0], dy = trace.dy;
  const Tensor dx = r.make(name_ + " input gradient", x.shape, x.dtype, x.layout);
  const PlaneShape in = r.planes(x);
  r.kernel("global_pool.backward_data", r.kernels().global_average_pool_backward, [=](Access& at) {
    return GlobalAveragePoolBackward{at.in(dy), at.in<void>(sink.add), at.in<std::uint8_t>(sink.mask),
                                     at.out<void>(dx), in};
  });
  return dx;
}

}  // namespace inocula
