// Bodies of the ways between one channel and several.
#include "kernels/grey.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

struct RepeatRow {
  RepeatOverChannels a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t pixels = a.pixels;
    const float* const x = a.x + row * pixels;
    float* const y = a.y + row * a.channels * pixels;
    team.each(a.channels, pixels, [=](std::int64_t c, std::int64_t p) { y[c * pixels + p] = x[p]; });
  }
};

struct SumRow {
  SumOverChannels a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t channels = a.channels, pixels = a.pixels;
    const float* const x = a.x + row * channels * pixels;
    float* const y = a.y + row * pixels;
    team.each(pixels, [=](std::int64_t p) {
      float sum = x[p];
      for (std::int64_t c = 1; c < channels; ++c) sum += x[c * pixels + p];
      y[p] = sum;
    });
  }
};

}  // namespace

void repeat_over_channels(const Queue& queue, const RepeatOverChannels& args) {
  for_each_row(queue, args.rows, args.channels * args.pixels, RepeatRow{args});
}

void sum_over_channels(const Queue& queue, const SumOverChannels& args) {
  for_each_row(queue, args.rows, args.channels * args.pixels, SumRow{args});
}

INOCULA_END_TARGET
