// Recording copies of channels.
#include "engine/layers/relayout.h"

namespace inocula {

void record_copy_channels(Recorder& r, const Tensor& from, std::int64_t from_first, const Tensor& to,
                          std::int64_t to_first, std::int64_t count) {
  const PlaneShape from_planes = r.planes(from), to_planes = r.planes(to);
  const bool whole = to_first == 0 && count == to.shape.c;
  r.kernel("channels.copy", r.kernels().copy_channels, [=](Access& at) {
    return CopyChannels{at.in<void>(from),
                        whole ? at.out<void>(to) : at.inout<void>(to),
                        from_planes,
                        to_planes,
                        from_first,
                        to_first,
                        count};
  });
}

Tensor as_plain(Recorder& r, const Tensor& t, const std::string& name) {
  return stored_like(r, t, {}, name);
}

Tensor stored_like(Recorder& r, const Tensor& t, const Tensor& like, const std::string& name) {
  if (t.layout == like.layout && t.dtype == like.dtype) return t;
  const Tensor copy = r.make(name, t.shape, like.dtype, like.layout);
  record_copy_channels(r, t, 0, copy, 0, t.shape.c);
  return copy;
}

}  // namespace inocula
