// Bodies of the random starts.
#include "kernels/start.h"

#include <cmath>

#include "kernels/draw_blocks.h"
#include "kernels/for_each.h"
#include "kernels/project.h"
#include "kernels/region_row.h"
#include "kernels/restart.h"
#include "kernels/row_radius.h"

INOCULA_BEGIN_TARGET

namespace {

INOCULA_DEVICE inline RandomStream start_stream(const RandomStart& a, std::int64_t row) {
  return {a.state->seed, Draw::start, restart_of(a, row), a.state->step,
          static_cast<std::uint32_t>(a.sample[row])};
}

/// Pixels of x outside a mask become those of `outside`, or 0 where there is none.
INOCULA_DEVICE inline void keep_inside(const Team& team, const RandomStart& a, const std::uint8_t* mask,
                                       const float* outside, float* x) {
  const std::int64_t pixels = a.region.pixels;
  team.each(a.cols / pixels, pixels, [=](std::int64_t c, std::int64_t p) {
    const std::int64_t i = c * pixels + p;
    if (mask[p] == 0) x[i] = outside != nullptr ? outside[i] : 0.0f;
  });
}

/// Moves uniform in [-eps, eps].
struct UniformMoves {
  using Drawn = std::uint32_t;
  INOCULA_DEVICE static void draw(const RandomStream& stream, std::int64_t first, Drawn* word) {
    stream.words(first, word);
  }
  INOCULA_DEVICE static float move(Drawn word, float eps, float) { return eps * uniform_signed(word); }
};

/// Normal ones, held in [-eps, eps].
struct NormalMoves {
  using Drawn = float;
  INOCULA_DEVICE static void draw(const RandomStream& stream, std::int64_t first, Drawn* z) {
    stream.normals(first, z);
  }
  INOCULA_DEVICE static float move(Drawn z, float eps, float deviation) {
    return clip(deviation * z, -eps, eps);
  }
};

template <class Moves>
struct StartLinf {
  RandomStart a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const RandomStream stream = start_stream(a, row);
    const std::int64_t cols = a.cols;
    const float* const clean = a.clean + row * cols;
    float* const x = a.x + row * cols;
    const float eps = of_row(a.eps, a.eps_scale, row), deviation = a.deviation, lo = a.lo, hi = a.hi;
    team.each_group<kWordsAbreast>(cols, [=](std::int64_t first) {
      typename Moves::Drawn draw[kWordsAbreast];
      Moves::draw(stream, first, draw);
      map_abreast(clean, x, first, cols, [&](int l, float v) {
        return step_within_linf(v, Moves::move(draw[l], eps, deviation), eps, lo, hi);
      });
    });
    if (const std::uint8_t* const mask = mask_of(a.region, a.sample[row]))
      keep_inside(team, a, mask, clean, x);
  }
};

/// How long a move is.
enum class Length {
  radius,  ///< eps
  drawn,   ///< as drawn, at most eps
};

/// clip(clean + radius z / ||z||), z standard normal in `dimensions` >= cols dimensions of which the first
/// cols are used: with none to spare a point on the sphere, with two to spare one uniform in the ball. Or
/// clip(clean + deviation z), where that is no longer than the radius.
template <int kSpare, Length kLength>
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
      map_abreast(clean, x, first, cols, [&](int l, float) { return z[l]; });
    });
    if (const std::uint8_t* const mask = mask_of(a.region, a.sample[row]))
      keep_inside(team, a, mask, nullptr, x);
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
    const float eps = of_row(a.eps, a.eps_scale, row);
    const double deviation = a.deviation;
    const float unit = kLength == Length::drawn && in_l2_ball(deviation * deviation * squares, eps)
                           ? a.deviation
                       : squares > 0 ? shrink_to_l2(squares, eps)
                                     : 0.0f;
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
  for_each_row(queue, args.rows, args.cols * kDrawCost, StartLinf<UniformMoves>{args});
}

void start_uniform_l2(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, NormalL2<2, Length::radius>{args});
}

void start_sphere_l2(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, NormalL2<0, Length::radius>{args});
}

void start_normal_linf(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, StartLinf<NormalMoves>{args});
}

void start_normal_l2(const Queue& queue, const RandomStart& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, NormalL2<0, Length::drawn>{args});
}

void next_restart(const Queue& queue, const NextRestart& args) {
  for_each(queue, 1, Advance{args});
}

INOCULA_END_TARGET
