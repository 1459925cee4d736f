// Recording copies of channels.
#include "engine/layers/relayout.h"

namespace inocula {

void record_copy_channels(Recorder& r, const Tensor& from, std::int64_t from_first, const Tensor& to,
                          std::int64_t to_first, std::int64_t count) {
  const PlaneShape from_planes = r.planes(from), to_planes = r.planes(to);
  const bool whole = to_first == 0 && count == to.shape.c;
  r.kernel("channels.copy", r.kernels().copy_channels, [=](Access& at) {
    return CopyChannels{
        at.in(from), whole ? at.out(to) : at.inout(to), from_planes, to_planes, from_first, to_first, count};
  });
}

Tensor with_layout(Recorder& r, const Tensor& t, Layout layout, const std::string& name) {
  if (t.layout == layout) return t;
  const Tensor copy = r.make(name, t.shape, DType::f32, layout);
  record_copy_channels(r, t, 0, copy, 0, t.shape.c);
  return copy;
}

}  // namespace inocula
