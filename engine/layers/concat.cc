// Recording concatenation: copies forward, slices back.
#include "engine/layers/concat.h"

#include "engine/layers/relayout.h"

namespace inocula {

void ConcatLayer::forward(Recorder& r, ParameterTensors&, LayerTrace& trace) {
  const Tensor y = trace.y = r.make(name_ + " output", out_, trace.x[0].dtype, trace.x[0].layout);
  const PlaneShape planes = r.planes(y);
  // The first write must be of the whole, so that memory is defined before parts are updated.
  r.kernel("concat.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out<void>(y), planes.size(), 0.0f, planes.element};
  });
  std::int64_t first = 0;
  for (const Tensor& x : trace.x) {
    record_copy_channels(r, x, 0, y, first, x.shape.c);
    first += x.shape.c;
  }
}

Tensor ConcatLayer::backward_data(Recorder& r, ParameterTensors&, LayerTrace& trace, std::size_t input,
                                  const GradientSink& sink) {
  std::int64_t first = 0;
  for (std::size_t i = 0; i < input; ++i) first += trace.x[i].shape.c;
  const Tensor x = trace.x[input];
  const Tensor dx = r.make(name_ + " input gradient", x.shape, x.dtype, x.layout);
  record_copy_channels(r, trace.dy, first, dx, 0, x.shape.c);
  return pass_gradient(r, dx, sink);
}

}  // namespace inocula
