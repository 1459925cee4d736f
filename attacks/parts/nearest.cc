// Recording which image is kept.
#include "attacks/parts/nearest.h"

#include <cmath>
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
  // Distances were rounded to float: one float less keeps the promise for what was rounded down. Numbers of
  // values are exact.
  const auto rounded = static_cast<float>(eps);
  const float most =
      std::isinf(eps) || nearest.norm == Distance::l0 ? rounded : std::nextafter(rounded, 0.0f);
  r.kernel("attack.release_beyond", r.kernels().release_beyond,
           [=, images = ports.images, scale = ports.eps_scale, radius = most](Access& at) {
             ReleaseBeyond a;
             a.x = at.inout(nearest.x);
             a.clean = at.in(images);
             a.distance = at.in(nearest.distance);
             a.rows = images.shape.n;
             a.cols = images.shape.per_sample();
             a.eps = radius;
             a.eps_scale = at.in(scale);
             return a;
           });
  return nearest.x;
}

}  // namespace inocula::attacks
