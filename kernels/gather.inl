// Body of gather.
#include "kernels/gather.h"

#include "kernels/draw.h"
#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

struct GatherRow {
  Gather a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t width = a.width, height = a.height, channels = a.channels;
    const std::int64_t lines = channels * height;
    float* const x = a.x + row * lines * width;
    const std::int32_t image = a.index[row];
    const std::int64_t columns = a.label_columns;
    const std::int32_t* const labels = a.all_labels;
    std::int32_t* const label = a.label + row * columns;
    team.each(columns, [=](std::int64_t j) { label[j] = image < 0 ? 0 : labels[image * columns + j]; });
    if (image < 0) {
      team.each(lines * width, [=](std::int64_t i) { x[i] = 0; });
      return;
    }

    const Philox4 words =
        draw4(a.state->seed, Draw::augment, 0, a.state->batch, static_cast<std::uint32_t>(image), 0);
    const bool flip = a.flip != 0 && words.w[0] >> 31 != 0;
    const std::uint32_t shifts = static_cast<std::uint32_t>(2 * a.shift + 1);
    const std::int64_t down = a.shift > 0 ? std::int64_t{uniform_below(words.w[1], shifts)} - a.shift : 0;
    const std::int64_t right = a.shift > 0 ? std::int64_t{uniform_below(words.w[2], shifts)} - a.shift : 0;
    const std::uint8_t* const from = a.images + image * (height * width * channels);
    // Column u of the flipped image is column `origin + turn u` of the stored one.
    const std::int64_t origin = flip ? width - 1 : 0;
    const std::int64_t turn = flip ? -1 : 1;
    team.each(lines, width, [=](std::int64_t line, std::int64_t column) {
      const std::int64_t c = line / height;
      const std::int64_t v = line - c * height - down, u = column - right;
      const bool inside = v >= 0 && v < height && u >= 0 && u < width;
      const std::int64_t at = (v * width + origin + turn * u) * channels + c;
      x[line * width + column] = inside ? static_cast<float>(from[at]) / 255.0f : 0.0f;
    });
  }
};

struct MaskElement {
  MaskPadding a;
  INOCULA_DEVICE void operator()(std::int64_t i) const {
    a.masked[i] = a.index[i / a.columns] < 0 ? -1 : a.label[i];
  }
};

}  // namespace

void gather(const Queue& queue, const Gather& args) {
  for_each_row(queue, args.rows, args.channels * args.height * args.width, GatherRow{args});
}

void mask_padding(const Queue& queue, const MaskPadding& args) {
  for_each(queue, args.rows * args.columns, MaskElement{args});
}

INOCULA_END_TARGET
