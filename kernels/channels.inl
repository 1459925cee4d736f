// Body of copy_channels.
#include "kernels/channels.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

/// Elements of `to` that one team fills: its lines stay in the first-level cache while lane after lane is
/// written.
constexpr std::int64_t kCopyPiece = 4096;

/// A stretch of pixels of one plane of `to`; its lanes may come from several planes of `from`.
template <class From, class To>
struct CopyPixels {
  CopyChannels a;
  std::int64_t pixels_per_piece, pieces_per_plane;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t plane = row / pieces_per_plane;
    const std::int64_t first_pixel = (row - plane * pieces_per_plane) * pixels_per_piece;
    const std::int64_t left = a.to_shape.pixels() - first_pixel;
    const std::int64_t pixels = left < pixels_per_piece ? left : pixels_per_piece;
    const std::int64_t n = plane / a.to_shape.blocks();
    const std::int64_t first = (plane - n * a.to_shape.blocks()) * a.to_shape.block;  // channel of lane 0
    const std::int64_t end = a.to_first + a.count;
    const std::int64_t to_block = a.to_shape.block, from_block = a.from_shape.block;
    To* const to = static_cast<To*>(a.to) + plane * a.to_shape.plane_size() + first_pixel * to_block;

    // Stretches of channels that lie side by side on both sides.
    std::int64_t c = first > a.to_first ? first : a.to_first;
    const std::int64_t stop = first + to_block < end ? first + to_block : end;
    while (c < stop) {
      const std::int64_t source = a.from_first + (c - a.to_first);
      const std::int64_t block = source / from_block, lane = source - block * from_block;
      const std::int64_t together = from_block - lane < stop - c ? from_block - lane : stop - c;
      const std::int64_t from_plane = n * a.from_shape.blocks() + block;
      const From* const from = static_cast<const From*>(a.from) + from_plane * a.from_shape.plane_size() +
                               first_pixel * from_block + lane;
      To* const into = to + (c - first);
      if (together == 1) {
        team.each(pixels,
                  [=](std::int64_t p) { store(into + p * to_block, to_float(from[p * from_block])); });
      } else {
        team.each(pixels, together, [=](std::int64_t p, std::int64_t l) {
          store(into + p * to_block + l, to_float(from[p * from_block + l]));
        });
      }
      c += together;
    }

    const std::int64_t padding = first + to_block - a.to_shape.channels;
    if (padding > 0 && end == a.to_shape.channels) {
      To* const zeros = to + to_block - padding;
      team.each(pixels, padding,
                [=](std::int64_t p, std::int64_t l) { store(zeros + p * to_block + l, 0.0f); });
    }
  }
};

}  // namespace

void copy_channels(const Queue& queue, const CopyChannels& args) {
  const std::int64_t block = args.to_shape.block;
  const std::int64_t pixels_per_piece = block < kCopyPiece ? kCopyPiece / block : 1;
  const std::int64_t pieces_per_plane = (args.to_shape.pixels() + pixels_per_piece - 1) / pixels_per_piece;
  with_element(args.from_shape.element, [&](auto from) {
    with_element(args.to_shape.element, [&](auto to) {
      using Pixels = CopyPixels<typename decltype(from)::Type, typename decltype(to)::Type>;
      for_each_row(queue, args.to_shape.planes() * pieces_per_plane, kCopyPiece,
                   Pixels{args, pixels_per_piece, pieces_per_plane});
    });
  });
}

INOCULA_END_TARGET
