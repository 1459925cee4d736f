// Body of the noise of a given similarity.
#include "kernels/ssim.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

constexpr int kReach = 5;  ///< pixels of a window beside its middle
constexpr double kDeviation = 1.5, kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;
constexpr double kCloseEnough = 1e-4;
constexpr float kFirstScale = 0x1p-8f, kLargestScale = 0x1p20f;
constexpr int kScaleTurns = 40;

/// Windows along one side of an image.
struct Windows {
  std::int64_t side, first, count;
  double weight[kReach + 1];

  INOCULA_DEVICE explicit Windows(std::int64_t pixels)
      : side(pixels),
        first(pixels > 2 * kReach ? kReach : 0),
        count(pixels > 2 * kReach ? pixels - 2 * kReach : pixels) {
    for (int d = 0; d <= kReach; ++d) weight[d] = portable_exp(-0.5 * d * d / (kDeviation * kDeviation));
  }
  /// Weighted means of f(pixel), which adds w times its values to `sum`, over window `which`.
  template <int kValues, class F>
  INOCULA_DEVICE void mean(std::int64_t which, double* sum, const F& f) const {
    const std::int64_t middle = first + which, begin = middle < kReach ? 0 : middle - kReach,
                       last = middle + kReach < side ? middle + kReach : side - 1;
    double all = 0;
    for (int k = 0; k < kValues; ++k) sum[k] = 0;
    for (std::int64_t i = begin; i <= last; ++i) {
      const double w = weight[i < middle ? middle - i : i - middle];
      all += w;
      f(i, w, sum);
    }
    for (int k = 0; k < kValues; ++k) sum[k] /= all;
  }
};

struct SsimRow {
  MatchSsim a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t cols = a.channels * a.height * a.width;
    const float* const clean = a.clean + row * cols;
    const float* const direction = a.direction + row * cols;
    float* const x = a.x + row * cols;
    double* const scratch = a.scratch + row * cols * kSsimScratch;
    const float lo = a.lo, hi = a.hi;
    const bool padding = a.sample[row] < 0;
    const auto move = [=](float scale) {
      team.each(cols, [=](std::int64_t i) { x[i] = clip(clean[i] + scale * direction[i], lo, hi); });
    };
    const Windows across(a.width), down(a.height);
    const auto ssim_at = [&](float scale) {
      move(scale);
      return similarity(team, across, down, clean, x, scratch);
    };
    float scale = 0, under = 0, over = kFirstScale;
    double reached = 1;
    if (!padding) {
      reached = ssim_at(over);
      while (reached > a.target && over < kLargestScale) {
        under = over;
        over *= 2;
        reached = ssim_at(over);
      }
      scale = over;
      if (reached <= a.target)
        for (int turn = 0; turn < kScaleTurns && fabs(reached - a.target) > kCloseEnough; ++turn) {
          scale = 0.5f * (under + over);
          reached = ssim_at(scale);
          (reached > a.target ? under : over) = scale;
        }
    }
    if (padding) move(0);
    if (a.reached != nullptr && team.leads()) a.reached[row] = static_cast<float>(reached);
  }

 private:
  /// SSIM of two images: means over windows' lines first, in `scratch`, then over windows.
  INOCULA_DEVICE double similarity(const Team& team, const Windows& across, const Windows& down,
                                   const float* x, const float* y, double* scratch) const {
    const std::int64_t width = a.width, height = a.height;
    team.each(a.channels * height, across.count, [=](std::int64_t line, std::int64_t which) {
      double* const means = scratch + (line * width + which) * kSsimScratch;
      across.mean<kSsimScratch>(which, means, [=](std::int64_t i, double w, double* sum) {
        const double u = x[line * width + i], v = y[line * width + i];
        sum[0] += w * u;
        sum[1] += w * v;
        sum[2] += w * u * u;
        sum[3] += w * v * v;
        sum[4] += w * u * v;
      });
    });
    const std::int64_t each = down.count * across.count, windows = a.channels * each;
    const double sum = team.sum(windows, [=](std::int64_t k) {
      const std::int64_t c = k / each, which = k % each / across.count, column = k % across.count;
      double m[kSsimScratch];
      down.mean<kSsimScratch>(which, m, [=](std::int64_t i, double w, double* of) {
        const double* const means = scratch + ((c * height + i) * width + column) * kSsimScratch;
        for (int v = 0; v < kSsimScratch; ++v) of[v] += w * means[v];
      });
      const double products = m[0] * m[1], squares = m[0] * m[0] + m[1] * m[1];
      return (2 * products + kC1) * (2 * (m[4] - products) + kC2) /
             ((squares + kC1) * (m[2] + m[3] - squares + kC2));
    });
    return sum / static_cast<double>(windows);
  }
};

/// Passes over a row: turns, of windows of two sides each.
constexpr std::int64_t kSsimCost = 1000;

}  // namespace

void match_ssim(const Queue& queue, const MatchSsim& args) {
  for_each_row(queue, args.rows, args.channels * args.height * args.width * kSsimCost, SsimRow{args});
}

INOCULA_END_TARGET
