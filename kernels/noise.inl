// Bodies of the noise kernels.
#include "kernels/noise.h"

#include <cmath>

#include "kernels/draw_blocks.h"
#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

/// Tells the kinds' random numbers apart: part of every saved result, never renumber.
enum class NoiseKind : std::uint32_t { gaussian = 0, speckle = 1, impulse = 2, shot = 3 };

INOCULA_DEVICE inline RandomStream noise_stream(const Noise& a, NoiseKind kind, std::int64_t row) {
  return {a.state->seed, Draw::corrupt, static_cast<std::uint32_t>(kind), a.state->step,
          static_cast<std::uint32_t>(a.sample[row])};
}

/// y[i] = noisy(x[i], normal number i of the row).
template <class Map>
INOCULA_DEVICE inline void add_normals(const Noise& a, NoiseKind kind, std::int64_t row, const Team& team,
                                       Map noisy) {
  const RandomStream stream = noise_stream(a, kind, row);
  const std::int64_t cols = a.cols;
  const float* const x = a.x + row * cols;
  float* const y = a.y + row * cols;
  team.each_group<kWordsAbreast>(cols, [=](std::int64_t first) {
    float z[kWordsAbreast];
    stream.normals(first, z);
    map_abreast(x, y, first, cols, [&](int l, float v) { return noisy(v, z[l]); });
  });
}

struct Gaussian {
  Noise a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float deviation = sqrtf(a.level), lo = a.lo, hi = a.hi;
    add_normals(a, NoiseKind::gaussian, row, team,
                [=](float x, float n) { return clip(x + deviation * n, lo, hi); });
  }
};

struct Speckle {
  Noise a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float deviation = sqrtf(a.level), lo = a.lo, hi = a.hi;
    add_normals(a, NoiseKind::speckle, row, team,
                [=](float x, float n) { return clip(x + x * (deviation * n), lo, hi); });
  }
};

struct Impulse {
  Noise a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const RandomStream stream = noise_stream(a, NoiseKind::impulse, row);
    const std::int64_t cols = a.cols;
    const float* const x = a.x + row * cols;
    float* const y = a.y + row * cols;
    const float level = a.level, lo = a.lo, hi = a.hi;
    team.each_group<kWordsAbreast>(cols, [=](std::int64_t first) {
      std::uint32_t word[kWordsAbreast];
      stream.words(first, word);
      // The upper 24 bits say whether, the lowest which.
      map_abreast(x, y, first, cols, [&](int l, float v) {
        const float end = (word[l] & 1u) != 0 ? hi : lo;
        return uniform01(word[l]) < level ? end : v;
      });
    });
  }
};

/// Number of events of mean `mean` <= 512 by inversion: the first k whose cumulative probability exceeds u,
/// a multiple of 2^-53. Rounding may keep the sum below u for ever: far beyond the mean the search ends.
INOCULA_DEVICE inline std::int32_t poisson(double mean, double u) {
  double p = portable_exp(-mean), cumulative = p;
  std::int32_t k = 0;
  while (cumulative <= u && (k < mean || p > 1e-18)) {
    ++k;
    p *= mean / k;
    cumulative += p;
  }
  return k;
}

struct Shot {
  Noise a;
  INOCULA_DEVICE void operator()(std::int64_t index) const {
    constexpr double kMostAtOnce = 512;
    const std::int64_t row = index / a.cols, i = index % a.cols;
    const RandomStream stream = noise_stream(a, NoiseKind::shot, row);
    const double mean = static_cast<double>(a.level) * static_cast<double>(a.x[index]);
    // Sums of Poisson numbers are Poisson numbers.
    const auto parts = static_cast<std::int32_t>(mean / kMostAtOnce) + 1;
    std::int64_t events = 0;
    for (std::int32_t part = 0; part < parts; ++part) {
      const Philox4 words = draw4(stream.seed, stream.purpose, stream.sub, stream.step, stream.sample,
                                  static_cast<std::uint32_t>(i * kParts + part));
      const double u =
          (static_cast<double>(words.w[0] >> 5) * 0x1p26 + static_cast<double>(words.w[1] >> 6)) * 0x1p-53;
      events += poisson(mean / parts, u);
    }
    a.y[index] =
        clip(static_cast<float>(static_cast<double>(events) / static_cast<double>(a.level)), a.lo, a.hi);
  }
  /// Room for the draws of one value: those of kMostPhotons.
  static constexpr std::int64_t kParts = 256;
};

/// Draws are the cost: about this many plain operations a value.
constexpr std::int64_t kDrawCost = 8;

}  // namespace

void gaussian_noise(const Queue& queue, const Noise& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, Gaussian{args});
}

void speckle_noise(const Queue& queue, const Noise& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, Speckle{args});
}

void impulse_noise(const Queue& queue, const Noise& args) {
  for_each_row(queue, args.rows, args.cols * kDrawCost, Impulse{args});
}

void shot_noise(const Queue& queue, const Noise& args) {
  for_each(queue, args.rows * args.cols, Shot{args});
}

INOCULA_END_TARGET
