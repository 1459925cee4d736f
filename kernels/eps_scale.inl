// Body of gathering the factors of radii.
#include "kernels/eps_scale.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

struct EpsScaleRow {
  GatherEpsScale a;
  INOCULA_DEVICE void operator()(std::int64_t row) const {
    const std::int32_t sample = a.sample[row];
    a.to[row] = a.factor == nullptr || sample < 0 ? a.share : a.share * a.factor[sample];
  }
};

}  // namespace

void gather_eps_scale(const Queue& queue, const GatherEpsScale& args) {
  for_each(queue, args.rows, EpsScaleRow{args});
}

INOCULA_END_TARGET
