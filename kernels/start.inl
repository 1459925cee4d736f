// Bodies of the random starts.
#include "kernels/start.h"

#include <cmath>

#include "kernels/draw.h"
#include "kernels/for_each.h"
#include "kernels/normal.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

/// A sample's stream of random words for this step and restart.
struct StartStream {
  std::uint64_t seed;
  std::uint32_t restart, step, sample;

  INOCULA_DEVICE Philox4 words(std::int64_t block) const {
    return draw4(seed, Draw::start, restart, step, sample, static_cast<std::uint32_t>(block));
  }
};

INOCULA_DEVICE inline StartStream start_stream(const RandomStart& a, std::int64_t row) {
  return {a.state->seed, a.state->restart, a.state->step, static_cast<std::uint32_t>(a.sample[row])};
}

struct UniformLinf {
  RandomStart a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const StartStream stream = start_stream(a, row);
    const float* const clean = a.clean + row * a.cols;
    float* const x = a.x + row * a.cols;
    const float eps = a.eps, lo = a.lo, hi = a.hi;
    const auto place = [=](std::int64_t i, std::uint32_t word) {
      x[i] = project_linf(clean[i] + eps * uniform_signed(word), clean[i], eps, lo, hi);
    };
    const std::int64_t blocks = a.cols / 4, rest = a.cols % 4;
    team.each(blocks, [=](std::int64_t block) {
      const Philox4 words = stream.words(block);
      place(4 * block, words.w[0]);
      place(4 * block + 1, words.w[1]);
      place(4 * block + 2, words.w[2]);
      place(4 * block + 3, words.w[3]);
    });
    team.each(rest, [=](std::int64_t w) { place(4 * blocks + w, stream.words(blocks).w[w]); });
  }
};

/// clip(clean + radius z / ||z||), z standard normal in `dimensions` >= cols dimensions of which the first
/// cols are used: with none to spare a point on the sphere, with two to spare one uniform in the ball.
template <int kSpare>
struct NormalL2 {
  RandomStart a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const StartStream stream = start_stream(a, row);
    const float* const clean = a.clean + row * a.cols;
    float* const x = a.x + row * a.cols;
    const std::int64_t cols = a.cols, blocks = cols / 4, rest = cols % 4;
    team.each(blocks, [=](std::int64_t block) {
      const Normal4 z = normal4(stream.words(block));
      for (int w = 0; w < 4; ++w) x[4 * block + w] = z.v[w];
    });
    team.each(rest, [=](std::int64_t w) { x[4 * blocks + w] = normal4(stream.words(blocks)).v[w]; });
    double squares = team.sum(cols, [=](std::int64_t i) {
      const double z = x[i];
      return z * z;
    });
    for (std::int64_t i = cols; i < cols + kSpare; ++i) {
      const double z = normal4(stream.words(i / 4)).v[i % 4];
      squares += z * z;
    }
    const float unit = squares > 0 ? shrink_to_l2(squares, a.eps) : 0.0f;
    const float lo = a.lo, hi = a.hi;
    team.each(cols, [=](std::int64_t i) { x[i] = clip(add_towards(clean[i], unit * x[i]), lo, hi); });
  }
};

/// Draws are the cost: about this many plain operations an element.
constexpr std::int64_t kDrawCost = 8;

struct Advance {
  NextRestart a;
  INOCULA_DEVICE void operator()(std::int64_t) const { a.state->restart += 1; }
};

}  // namespace

void start_uniform_linf(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, UniformLinf{args});
}

void start_uniform_l2(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, NormalL2<2>{args});
}

void start_sphere_l2(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, NormalL2<0>{args});
}

void next_restart(const Queue& queue, const NextRestart& args) {
  for_each(queue, 1, Advance{args});
}

INOCULA_END_TARGET
