// Body of keeping to a region.
#include "kernels/region.h"

#include "kernels/for_each.h"
#include "kernels/region_row.h"

INOCULA_BEGIN_TARGET

namespace {

struct RegionRow {
  KeepToRegion a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t pixels = a.region.pixels, first = row * a.cols;
    const float* const x = a.x + first;
    const float* const outside = a.outside != nullptr ? a.outside + first : nullptr;
    float* const y = a.y + first;
    const std::uint8_t* const mask = mask_of(a.region, a.sample[row]);
    if (mask == nullptr)
      team.each(a.cols, [=](std::int64_t i) { y[i] = x[i]; });
    else if (outside == nullptr)
      team.each(a.cols / pixels, pixels, [=](std::int64_t c, std::int64_t p) {
        const float v = x[c * pixels + p];
        y[c * pixels + p] = mask[p] != 0 ? v : 0.0f;
      });
    else
      team.each(a.cols / pixels, pixels, [=](std::int64_t c, std::int64_t p) {
        const float v = x[c * pixels + p], kept = outside[c * pixels + p];
        y[c * pixels + p] = mask[p] != 0 ? v : kept;
      });
  }
};

}  // namespace

void keep_to_region(const Queue& queue, const KeepToRegion& args) {
  for_each_row(queue, args.rows, args.cols, RegionRow{args});
}

INOCULA_END_TARGET
