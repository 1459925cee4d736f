// Body of copy_channels.
#include "kernels/channels.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

/// One plane of `to`: its lanes that the copy covers come from one or more planes of `from`.
struct CopyPlane {
  CopyChannels a;

  INOCULA_DEVICE void operator()(std::int64_t plane, const Team& team) const {
    const std::int64_t n = plane / a.to_shape.blocks();
    const std::int64_t first = (plane - n * a.to_shape.blocks()) * a.to_shape.block;  // channel of lane 0
    const std::int64_t end = a.to_first + a.count;
    const std::int64_t pixels = a.to_shape.pixels();
    const std::int64_t to_block = a.to_shape.block, from_block = a.from_shape.block;
    float* const to = a.to + plane * a.to_shape.plane_size();

    // Stretches of channels that lie side by side on both sides.
    std::int64_t c = first > a.to_first ? first : a.to_first;
    const std::int64_t stop = first + to_block < end ? first + to_block : end;
    while (c < stop) {
      const std::int64_t source = a.from_first + (c - a.to_first);
      const std::int64_t block = source / from_block, lane = source - block * from_block;
      const std::int64_t together = from_block - lane < stop - c ? from_block - lane : stop - c;
      const float* const from =
          a.from + (n * a.from_shape.blocks() + block) * a.from_shape.plane_size() + lane;
      float* const into = to + (c - first);
      if (together == 1) {
        team.each(pixels, [=](std::int64_t p) { into[p * to_block] = from[p * from_block]; });
      } else {
        team.each(pixels, together,
                  [=](std::int64_t p, std::int64_t l) { into[p * to_block + l] = from[p * from_block + l]; });
      }
      c += together;
    }

    const std::int64_t padding = first + to_block - a.to_shape.channels;
    if (padding > 0 && end == a.to_shape.channels) {
      float* const zeros = to + to_block - padding;
      team.each(pixels, padding, [=](std::int64_t p, std::int64_t l) { zeros[p * to_block + l] = 0; });
    }
  }
};

}  // namespace

void copy_channels(const Queue& queue, const CopyChannels& args) {
  for_each_row(queue, args.to_shape.planes(), args.to_shape.plane_size(), CopyPlane{args});
}

INOCULA_END_TARGET
