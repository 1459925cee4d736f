// Bodies of the noise kernels.
#include "kernels/noise.h"

#include <cmath>

#include "kernels/draw.h"
#include "kernels/for_each.h"
#include "kernels/normal.h"
#include "kernels/portable_math.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

/// Tells the kinds' random numbers apart: part of every saved result, never renumber.
enum class NoiseKind : std::uint32_t { gaussian = 0, speckle = 1, impulse = 2, shot = 3 };

/// A sample's stream of random words for one kind of noise.
struct NoiseStream {
  std::uint64_t seed;
  std::uint32_t kind, step, sample;

  INOCULA_DEVICE NoiseStream(const Noise& a, NoiseKind kind, std::int64_t row)
      : seed(a.state->seed),
        kind(static_cast<std::uint32_t>(kind)),
        step(a.state->step),
        sample(static_cast<std::uint32_t>(a.sample[row])) {}
  INOCULA_DEVICE Philox4 words(std::int64_t block) const {
    return draw4(seed, Draw::corrupt, kind, step, sample, static_cast<std::uint32_t>(block));
  }
};

/// y[i] = noisy(x[i], value i of the four that `draw` makes of each block of words).
template <class Four, class Map>
INOCULA_DEVICE inline void each_value(const Noise& a, NoiseKind kind, std::int64_t row, const Team& team,
                                      Four four, Map noisy) {
  const NoiseStream stream(a, kind, row);
  const float* const x = a.x + row * a.cols;
  float* const y = a.y + row * a.cols;
  const std::int64_t blocks = a.cols / 4, rest = a.cols % 4;
  team.each(blocks, [=](std::int64_t block) {
    const auto drawn = four(stream.words(block));
    for (int i = 0; i < 4; ++i) y[4 * block + i] = noisy(x[4 * block + i], drawn[i]);
  });
  team.each(rest, [=](std::int64_t i) {
    y[4 * blocks + i] = noisy(x[4 * blocks + i], four(stream.words(blocks))[i]);
  });
}

struct FourNormals {
  Normal4 n;
  INOCULA_DEVICE float operator[](std::int64_t i) const { return n.v[i]; }
};
struct MakeNormals {
  INOCULA_DEVICE FourNormals operator()(const Philox4& words) const { return {normal4(words)}; }
};
struct FourWords {
  Philox4 words;
  INOCULA_DEVICE std::uint32_t operator[](std::int64_t i) const { return words.w[i]; }
};
struct KeepWords {
  INOCULA_DEVICE FourWords operator()(const Philox4& words) const { return {words}; }
};

struct Gaussian {
  Noise a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float deviation = sqrtf(a.level), lo = a.lo, hi = a.hi;
    each_value(a, NoiseKind::gaussian, row, team, MakeNormals{},
               [=](float x, float n) { return clip(x + deviation * n, lo, hi); });
  }
};

struct Speckle {
  Noise a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float deviation = sqrtf(a.level), lo = a.lo, hi = a.hi;
    each_value(a, NoiseKind::speckle, row, team, MakeNormals{},
               [=](float x, float n) { return clip(x + x * (deviation * n), lo, hi); });
  }
};

struct Impulse {
  Noise a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float level = a.level, lo = a.lo, hi = a.hi;
    // The upper 24 bits say whether, the lowest which.
    each_value(a, NoiseKind::impulse, row, team, KeepWords{}, [=](float x, std::uint32_t word) {
      const float end = (word & 1u) != 0 ? hi : lo;
      return uniform01(word) < level ? end : x;
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
    const NoiseStream stream(a, NoiseKind::shot, row);
    const double mean = static_cast<double>(a.level) * static_cast<double>(a.x[index]);
    // Sums of Poisson numbers are Poisson numbers.
    const auto parts = static_cast<std::int32_t>(mean / kMostAtOnce) + 1;
    std::int64_t events = 0;
    for (std::int32_t part = 0; part < parts; ++part) {
      const Philox4 words = stream.words(i * kParts + part);
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
