// Bodies of a carried perturbation's kernels.
#include "kernels/carried_delta.h"

#include "kernels/map_floats.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

struct Perturbed {
  float eps, lo, hi;
  /// v: the clean pixel, its delta.
  INOCULA_DEVICE float operator()(const float* v) const {
    return project_linf(v[0] + v[1], v[0], eps, lo, hi);
  }
};

struct Ascended {
  float eps;
  /// v: delta, the gradient.
  INOCULA_DEVICE float operator()(const float* v) const {
    const float g = v[1];
    const float move = g > 0 ? eps : (g < 0 ? -eps : 0.0f);
    return clip(v[0] + move, -eps, eps);
  }
};

}  // namespace

void add_delta(const Queue& queue, const AddDelta& args) {
  map_floats(queue, MapFloats<2, Perturbed>{
                        {args.eps, args.lo, args.hi}, {args.clean, args.delta}, args.x, args.size});
}

void ascend_delta_linf(const Queue& queue, const AscendDelta& args) {
  map_floats(queue, MapFloats<2, Ascended>{{args.eps}, {args.delta, args.gradient}, args.delta, args.size});
}

INOCULA_END_TARGET
