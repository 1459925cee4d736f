// Recording which image is kept.
#include "attacks/nearest.h"

#include <limits>

namespace inocula::attacks {

Nearest record_nearest(Recorder& r, const PerturbationPorts& ports, Distance norm) {
  const std::int64_t rows = ports.images.shape.n;
  const Nearest nearest{r.make("nearest images", ports.images.shape),
                        r.make("nearest distance", {rows, 1, 1, 1}), norm};
  r.copy("attack.copy", ports.images, nearest.x);
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out(nearest.distance), rows, std::numeric_limits<float>::infinity()};
  });
  return nearest;
}

Tensor record_hits(Recorder& r, const PerturbationPorts& ports, const Tensor& target,
                   const LossGradient& found) {
  const std::int64_t rows = ports.images.shape.n;
  const Tensor score = r.make("candidate score", {rows, 1, 1, 1});
  const Tensor hit = r.make("candidate hit", {rows, 1, 1, 1}, DType::i32);
  r.kernel("attack.judge", r.kernels().judge, [=, label = ports.label](Access& at) {
    return Judge{at.in(found.loss),
                 at.in<std::int32_t>(found.predicted),
                 at.in<std::int32_t>(label),
                 at.in<std::int32_t>(target),
                 at.out(score),
                 at.out<std::int32_t>(hit),
                 rows,
                 0};
  });
  return hit;
}

void record_keep_nearest(Recorder& r, const PerturbationPorts& ports, const Tensor& x, const Tensor& hit,
                         const Nearest& nearest) {
  r.kernel("attack.keep_nearest", r.kernels().keep_nearest, [=, images = ports.images](Access& at) {
    return KeepNearest{at.in(x),
                       at.in(images),
                       at.in<std::int32_t>(hit),
                       at.inout(nearest.x),
                       at.inout(nearest.distance),
                       images.shape.n,
                       images.shape.per_sample(),
                       nearest.norm};
  });
}

Tensor record_within(Recorder& r, const PerturbationPorts& ports, const Nearest& nearest, double eps) {
  r.kernel("attack.release_beyond", r.kernels().release_beyond,
           [=, images = ports.images, radius = static_cast<float>(eps)](Access& at) {
             return ReleaseBeyond{at.inout(nearest.x),       at.in(images),
                                  at.in(nearest.distance),   images.shape.n,
                                  images.shape.per_sample(), radius};
           });
  return nearest.x;
}

}  // namespace inocula::attacks
