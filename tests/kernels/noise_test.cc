// Noise: the documented functions of the draws, distributed as theory says, and the same at any batch size.
#include <algorithm>
#include <cmath>

#include "kernels/normal.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

using Kernel = void (*KernelTable::*)(const Queue&, const Noise&);

const Kernel kKernels[] = {&KernelTable::gaussian_noise, &KernelTable::speckle_noise,
                           &KernelTable::impulse_noise, &KernelTable::shot_noise};

/// Of the draws, by kind.
enum : std::uint32_t { kGaussian, kSpeckle, kImpulse, kShot };

struct Images {
  std::vector<float> x;
  std::vector<std::int32_t> sample;
  std::int64_t rows = 0, cols = 0;
  StepState state = {.seed = 5, .step = 3};
};

Images images_of(std::int64_t rows, std::int64_t cols, const std::vector<float>& x) {
  Images images{x, {}, rows, cols};
  for (std::int64_t i = 0; i < rows; ++i) images.sample.push_back(static_cast<std::int32_t>(1000 + i));
  return images;
}

/// Uniform on [0, 1], with both ends among them.
Images random_images(std::int64_t rows, std::int64_t cols) {
  std::vector<float> x = random_floats(static_cast<std::size_t>(rows * cols), 3, 0, 1);
  for (std::size_t i = 0; i < x.size(); i += 5) x[i] = i % 2 == 0 ? 0.0f : 1.0f;
  return images_of(rows, cols, x);
}

std::vector<float> noisy(const Run& run, Kernel kernel, const Images& images, float level) {
  Guarded<float> y(images.x.size(), kNan);
  (run.kernels.*kernel)(run.queue, {.y = y.data(),
                                    .x = images.x.data(),
                                    .sample = images.sample.data(),
                                    .state = &images.state,
                                    .rows = images.rows,
                                    .cols = images.cols,
                                    .level = level});
  return y.values();
}

std::vector<float> noisy(Kernel kernel, const Images& images, float level) {
  return same_everywhere([&](const Run& run) { return Outputs{noisy(run, kernel, images, level)}; })[0];
}

/// f(pixel, sample, element) of every value.
template <class F>
std::vector<double> each_value(const Images& images, F&& f) {
  std::vector<double> values;
  for (std::int64_t row = 0; row < images.rows; ++row)
    for (std::int64_t i = 0; i < images.cols; ++i)
      values.push_back(f(double{images.x[static_cast<std::size_t>(row * images.cols + i)]},
                         static_cast<std::uint32_t>(images.sample[static_cast<std::size_t>(row)]),
                         static_cast<std::uint32_t>(i)));
  return values;
}

/// The smallest k whose Poisson distribution function exceeds u, each term from the logarithm of its formula.
double poisson_quantile(double mean, double u) {
  double below = 0;
  for (int k = 0;; ++k) {
    below += mean > 0 ? std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0)) : k == 0;
    if (below > u) return k;
  }
}

struct Moments {
  double mean = 0, variance = 0, fourth = 0;  ///< the latter two about the mean
};

template <class Values>
Moments moments_of(const Values& values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / n;
  for (const double v : values) {
    const double d = (v - m.mean) * (v - m.mean);
    m.variance += d / n;
    m.fourth += d * d / n;
  }
  return m;
}

/// Of clip(x + deviation N) by numerical integration over N.
Moments clipped_normal(double x, double deviation) {
  std::vector<double> value, weight;
  for (double n = -8; n <= 8; n += 1e-4) {
    value.push_back(std::clamp(x + deviation * n, 0.0, 1.0));
    weight.push_back(std::exp(-n * n / 2) / std::sqrt(2 * M_PI) * 1e-4);
  }
  Moments m;
  for (std::size_t i = 0; i < value.size(); ++i) m.mean += weight[i] * value[i];
  for (std::size_t i = 0; i < value.size(); ++i) {
    const double d = (value[i] - m.mean) * (value[i] - m.mean);
    m.variance += weight[i] * d;
    m.fourth += weight[i] * d * d;
  }
  return m;
}

constexpr std::int64_t kMany = 1000;  // rows and columns: a million values

void check_moments(const std::vector<float>& values, const Moments& theory) {
  const Moments seen = moments_of(values);
  const auto n = static_cast<double>(values.size());
  CHECK(std::fabs(seen.mean - theory.mean) <= 3 * std::sqrt(theory.variance / n));
  CHECK(std::fabs(seen.variance - theory.variance) <=
        3 * std::sqrt((theory.fourth - theory.variance * theory.variance) / n));
}

/// A million equal pixels, by the first target alone: that all agree is tested elsewhere.
std::vector<float> many_noisy(Kernel kernel, float pixel, float level) {
  return noisy(runs().front(), kernel,
               images_of(kMany, kMany, std::vector<float>(static_cast<std::size_t>(kMany * kMany), pixel)),
               level);
}

TEST_CASE("noise is the documented function of the draws") {
  for (const std::int64_t cols : {1, 2, 3, 4, 5, 787}) {
    const Images images = random_images(3, cols);
    const auto n = [](std::uint32_t kind, std::uint32_t sample, std::uint32_t i) {
      return double{normal(5, Draw::corrupt, kind, 3, sample, i)};
    };
    const double deviation = std::sqrt(0.3);
    check_near(noisy(&KernelTable::gaussian_noise, images, 0.3f),
               each_value(images,
                          [&](double x, std::uint32_t sample, std::uint32_t i) {
                            return std::clamp(x + deviation * n(kGaussian, sample, i), 0.0, 1.0);
                          }),
               0, 1e-6, "gaussian");
    check_near(noisy(&KernelTable::speckle_noise, images, 0.3f),
               each_value(images,
                          [&](double x, std::uint32_t sample, std::uint32_t i) {
                            return std::clamp(x + x * deviation * n(kSpeckle, sample, i), 0.0, 1.0);
                          }),
               0, 1e-6, "speckle");
    check_near(noisy(&KernelTable::impulse_noise, images, 0.3f),
               each_value(images,
                          [&](double x, std::uint32_t sample, std::uint32_t i) {
                            const std::uint32_t word = draw(5, Draw::corrupt, kImpulse, 3, sample, i);
                            return uniform01(word) < 0.3f ? double(word & 1u) : x;
                          }),
               0, 0, "impulse");
    // 60 photons in one draw, 2000 in up to four.
    for (const double photons : {60.0, 2000.0})
      check_near(
          noisy(&KernelTable::shot_noise, images, static_cast<float>(photons)),
          each_value(images,
                     [&](double x, std::uint32_t sample, std::uint32_t i) {
                       const int parts = static_cast<int>(photons * x / 512) + 1;
                       double events = 0;
                       for (int part = 0; part < parts; ++part) {
                         const Philox4 words =
                             draw4(5, Draw::corrupt, kShot, 3, sample, i * 256 + static_cast<unsigned>(part));
                         const std::uint64_t bits =
                             (std::uint64_t{words.w[0] >> 5} << 26) | std::uint64_t{words.w[1] >> 6};
                         events += poisson_quantile(photons * x / parts, static_cast<double>(bits) * 0x1p-53);
                       }
                       return std::min(events / photons, 1.0);
                     }),
          kFloatEpsilon, 0, "shot");
  }
}

TEST_CASE("a million noisy pixels have the mean and the variance of theory") {
  for (const float pixel : {0.0f, 0.2f, 0.5f}) {
    for (const float variance : {0.001f, 0.1f, 1.0f}) {
      CAPTURE(pixel);
      CAPTURE(variance);
      const double deviation = std::sqrt(double{variance});
      check_moments(many_noisy(&KernelTable::gaussian_noise, pixel, variance),
                    clipped_normal(pixel, deviation));
      check_moments(many_noisy(&KernelTable::speckle_noise, pixel, variance),
                    clipped_normal(pixel, pixel * deviation));
    }
  }
  for (const float amount : {0.1f, 0.5f, 1.0f}) {
    CAPTURE(amount);
    const std::vector<float> y = many_noisy(&KernelTable::impulse_noise, 0.25f, amount);
    const double n = kMany * kMany, half = double{amount} / 2, error = 3 * std::sqrt(half * (1 - half) * n);
    for (const float end : {0.0f, 1.0f})
      CHECK(std::fabs(static_cast<double>(std::count(y.begin(), y.end(), end)) - half * n) <= error);
    CHECK(std::all_of(y.begin(), y.end(), [](float v) { return v == 0 || v == 0.25f || v == 1; }));
  }
  // Poisson numbers of mean m: variance m, fourth central moment m + 3 m^2; so far below white none is
  // clipped.
  for (const float photons : {100.0f, 4000.0f}) {
    CAPTURE(photons);
    const double p = photons, m = 0.25 * p;
    check_moments(many_noisy(&KernelTable::shot_noise, 0.25f, photons),
                  {m / p, m / (p * p), (m + 3 * m * m) / (p * p * p * p)});
  }
}

TEST_CASE("an image's noise depends on neither its batch nor its place in it") {
  const Images images = random_images(5, 131);
  for (const Kernel kernel : kKernels) {
    const float level = kernel == &KernelTable::shot_noise ? 60.0f : 0.4f;
    const std::vector<float> all = noisy(kernel, images, level);
    CHECK(all != images.x);
    for (std::int64_t row = 0; row < images.rows; ++row) {
      Images one = images_of(
          1, images.cols, {images.x.begin() + row * images.cols, images.x.begin() + (row + 1) * images.cols});
      one.sample[0] = images.sample[static_cast<std::size_t>(row)];
      CHECK(noisy(kernel, one, level) ==
            std::vector<float>(all.begin() + row * images.cols, all.begin() + (row + 1) * images.cols));
    }
    Images later = images;
    later.state.step += 1;
    CHECK(noisy(kernel, later, level) != all);
  }
}

TEST_CASE("levels of one kind of noise differ in strength alone") {
  const Images images = random_images(4, 333);
  const std::vector<float> weak = noisy(&KernelTable::impulse_noise, images, 0.2f);
  const std::vector<float> strong = noisy(&KernelTable::impulse_noise, images, 0.6f);
  bool kept = true;
  for (std::size_t i = 0; i < weak.size(); ++i)
    kept = kept && (weak[i] == images.x[i] || weak[i] == strong[i]);
  CHECK(kept);
  for (const Kernel kernel : {&KernelTable::gaussian_noise, &KernelTable::speckle_noise}) {
    const std::vector<float> quarter = noisy(kernel, images, 0.01f), whole = noisy(kernel, images, 0.04f);
    double worst = 0;
    for (std::size_t i = 0; i < quarter.size(); ++i) {
      const double x = images.x[i], far = whole[i] - x;
      if (whole[i] > 0 && whole[i] < 1) worst = std::max(worst, std::fabs(far - 2 * (quarter[i] - x)));
    }
    CHECK(worst <= 1e-6);
  }
}

TEST_CASE("at level 0 images stay as they are, and black has no photons") {
  const Images images = random_images(3, 65);
  for (const Kernel kernel :
       {&KernelTable::gaussian_noise, &KernelTable::speckle_noise, &KernelTable::impulse_noise})
    CHECK(noisy(kernel, images, 0) == images.x);
  const std::vector<float> black(65, 0.0f);
  CHECK(noisy(&KernelTable::shot_noise, images_of(1, 65, black), kMostPhotons) == black);
  const std::vector<float> white =
      noisy(&KernelTable::shot_noise, images_of(1, 65, std::vector<float>(65, 1.0f)), kMostPhotons);
  CHECK(std::all_of(white.begin(), white.end(), [](float v) { return v > 0.97f && v <= 1; }));
}

}  // namespace
}  // namespace inocula::test
