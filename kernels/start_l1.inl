// Body of the random start in the L1 ball.
#include "kernels/start_l1.h"

#include <cmath>

#include "kernels/draw_blocks.h"
#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/project.h"
#include "kernels/restart.h"

INOCULA_BEGIN_TARGET

namespace {

/// An exponential of mean 1 from a word's upper 24 bits, its sign from the lowest.
INOCULA_DEVICE inline float signed_exponential(std::uint32_t word) {
  const float size = -portable_log(static_cast<float>((word >> 8) + 1) * 0x1p-24f);
  return (word & 1) != 0 ? -size : size;
}

struct StartL1 {
  RandomStart a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const RandomStream stream{a.state->seed, Draw::start, restart_of(a, row), a.state->step,
                              static_cast<std::uint32_t>(a.sample[row])};
    const std::int64_t cols = a.cols;
    const float* const clean = a.clean + row * cols;
    float* const x = a.x + row * cols;
    team.each_group<kWordsAbreast>(cols, [=](std::int64_t first) {
      std::uint32_t word[kWordsAbreast];
      stream.words(first, word);
      map_abreast(clean, x, first, cols, [&](int l, float) { return signed_exponential(word[l]); });
    });
    const double drawn = team.sum(cols, [=](std::int64_t i) { return static_cast<double>(fabsf(x[i])); });
    const float spare = signed_exponential(draw(stream.seed, stream.purpose, stream.sub, stream.step,
                                                stream.sample, static_cast<std::uint32_t>(cols)));
    const double total = drawn + fabsf(spare);
    const float unit = total > 0 ? static_cast<float>(a.eps / total * kInsideBall) : 0.0f;
    const float lo = a.lo, hi = a.hi;
    team.each(cols, [=](std::int64_t i) { x[i] = clip(add_towards(clean[i], unit * x[i]), lo, hi); });
  }
};

/// Draws are the cost: about this many plain operations an element.
constexpr std::int64_t kDrawCost = 8;

}  // namespace

void start_uniform_l1(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, StartL1{args});
}

INOCULA_END_TARGET
