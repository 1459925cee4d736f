// Bodies of the random starts.
#include "kernels/start.h"

#include <cmath>

#include "kernels/draw_blocks.h"
#include "kernels/for_each.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

INOCULA_DEVICE inline RandomStream start_stream(const RandomStart& a, std::int64_t row) {
  return {a.state->seed, Draw::start, a.state->restart, a.state->step,
          static_cast<std::uint32_t>(a.sample[row])};
}

struct UniformLinf {
  RandomStart a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const RandomStream stream = start_stream(a, row);
    const std::int64_t cols = a.cols;
    const float* const clean = a.clean + row * cols;
    float* const x = a.x + row * cols;
    const float eps = a.eps, lo = a.lo, hi = a.hi;
    team.each_group<kWordsAbreast>(cols, [=](std::int64_t first) {
      std::uint32_t word[kWordsAbreast];
      stream.words(first, word);
      const int count = count_abreast(first, cols);
#pragma omp simd
      for (int l = 0; l < count; ++l)
        x[first + l] = step_within_linf(clean[first + l], eps * uniform_signed(word[l]), eps, lo, hi);
    });
  }
};

/// clip(clean + radius z / ||z||), z standard normal in `dimensions` >= cols dimensions of which the first
/// cols are used: with none to spare a point on the sphere, with two to spare one uniform in the ball.
template <int kSpare>
struct NormalL2 {
  RandomStart a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const RandomStream stream = start_stream(a, row);
    const std::int64_t cols = a.cols;
    const float* const clean = a.clean + row * cols;
    float* const x = a.x + row * cols;
    team.each_group<kWordsAbreast>(cols, [=](std::int64_t first) {
      float z[kWordsAbreast];
      stream.normals(first, z);
      const int count = count_abreast(first, cols);
#pragma omp simd
      for (int l = 0; l < count; ++l) x[first + l] = z[l];
    });
    double squares = team.sum(cols, [=](std::int64_t i) {
      const double z = x[i];
      return z * z;
    });
    float z[kWordsAbreast];
    for (std::int64_t i = cols; i < cols + kSpare; ++i) {
      const int at = static_cast<int>(i % kWordsAbreast);
      if (i == cols || at == 0) stream.normals(i - at, z);
      squares += static_cast<double>(z[at]) * z[at];
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
