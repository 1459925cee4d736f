// Bodies of batch normalisation.
#include "kernels/norm.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/lanes.h"
#include "kernels/map_planes.h"
#include "kernels/plane_sums.h"

INOCULA_BEGIN_TARGET

namespace {

/// Mean of each channel in one plane, as a difference from the channel's first value in the batch, its
/// origin, and the sum of squared differences from that mean. Beside a large mean and a small deviation all
/// roundings are then relative to the deviation.
template <class T>
struct PlaneMoments {
  const T* x;
  float *offset, *squares;  // (batch, padded channels)
  PlaneShape shape;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const PlaneLanes part = plane_lanes(shape, row);
    const std::int64_t at = part.sample * shape.padded_channels() + part.channel;
    const T* const from = x;
    const T* const origin = x + part.offset - part.sample * shape.blocks() * shape.plane_size();
    float* const to_offset = offset + at;
    float* const to_squares = squares + at;
    const double pixels = static_cast<double>(shape.pixels());
    sum_plane(
        team, shape, part, [=](int l, double sum) { to_offset[l] = static_cast<float>(sum / pixels); },
        [=](std::int64_t i, int l) { return to_float(from[i]) - to_float(origin[l]); });
    // The offset's own error e adds pixels e^2, which is nothing: e is below 1e-6 of the origin's distance
    // from the mean, and the batch, of which the origin is a value, spreads by that distance over the root of
    // its size.
    sum_plane(
        team, shape, part, [=](int l, double sum) { to_squares[l] = static_cast<float>(sum); },
        [=](std::int64_t i, int l) {
          const float d = (to_float(from[i]) - to_float(origin[l])) - to_offset[l];
          return d * d;
        });
  }
};

/// Moments of the batch from those of its planes, for up to 16 channels.
template <class T>
struct CombineMoments {
  BatchStatistics a;
  const float *offset, *squares;

  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t first = group * kMaxLanes;
    const double pixels = static_cast<double>(a.shape.pixels());
    const double batch = static_cast<double>(a.shape.batch);
    const float *const of_offset = offset, *const of_squares = squares;
    INOCULA_SHARED double centre[kMaxLanes];
    sum_samples(
        team, a.shape, first, [&](int l, double total) { centre[l] = total / batch; },
        [=](std::int64_t i, int) { return static_cast<double>(of_offset[i]); });
    sum_samples(
        team, a.shape, first, [&](int l, double spread) { finish(first + l, centre[l], spread); },
        [&](std::int64_t i, int l) {
          const double d = of_offset[i] - centre[l];
          return of_squares[i] + pixels * d * d;
        });
  }

 private:
  /// `centre` is the mean's distance from the channel's origin, `spread` the sum of squared differences from
  /// the mean.
  INOCULA_DEVICE void finish(std::int64_t c, double centre, double spread) const {
    if (c >= a.shape.channels) {
      a.mean[c] = a.rstd[c] = a.scale[c] = a.shift[c] = 0;
      return;
    }
    const double origin =
        to_float(static_cast<const T*>(a.x)[c / a.shape.block * a.shape.plane_size() + c % a.shape.block]);
    const double mean = origin + centre;
    const double count = static_cast<double>(a.shape.batch * a.shape.pixels());
    const double variance = spread / count;
    const double rstd = 1.0 / sqrt(variance + a.eps);
    const double scale = a.gamma[c] * rstd;
    a.mean[c] = static_cast<float>(mean);
    a.rstd[c] = static_cast<float>(rstd);
    a.scale[c] = static_cast<float>(scale);
    a.shift[c] = static_cast<float>(a.beta[c] - mean * scale);
    if (a.running_mean != nullptr) {
      const double keep = 1.0 - a.momentum;
      const double unbiased = count > 1 ? spread / (count - 1) : variance;
      a.running_mean[c] = static_cast<float>(keep * a.running_mean[c] + a.momentum * mean);
      a.running_var[c] = static_cast<float>(keep * a.running_var[c] + a.momentum * unbiased);
    }
  }
};

struct Fold {
  FoldNorm a;
  INOCULA_DEVICE void operator()(std::int64_t c) const {
    if (c >= a.channels) {
      a.scale[c] = a.shift[c] = 0;
      return;
    }
    const double scale = a.gamma[c] / sqrt(static_cast<double>(a.running_var[c]) + a.eps);
    const double bias = a.bias != nullptr ? a.bias[c] : 0.0f;
    a.scale[c] = static_cast<float>(scale);
    a.shift[c] = static_cast<float>(a.beta[c] + (bias - a.running_mean[c]) * scale);
  }
};

template <class T>
struct PlaneGradientSums {
  NormGradientSums a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const PlaneLanes part = plane_lanes(a.shape, row);
    const std::int64_t stride = a.shape.padded_channels();
    const T* const x = static_cast<const T*>(a.x);
    const T* const dy = static_cast<const T*>(a.dy);
    const float* const mean = a.mean + part.channel;
    const float* const rstd = a.rstd + part.channel;
    float* const to_dy = a.partial + part.sample * stride + part.channel;
    float* const to_dy_xhat = to_dy + a.shape.batch * stride;
    sum_plane(
        team, a.shape, part,
        [=](int l, double sum, double sum_xhat) {
          to_dy[l] = static_cast<float>(sum);
          to_dy_xhat[l] = static_cast<float>(sum_xhat);
        },
        [=](std::int64_t i, int) { return to_float(dy[i]); },
        [=](std::int64_t i, int l) { return to_float(dy[i]) * ((to_float(x[i]) - mean[l]) * rstd[l]); });
  }
};

/// The same of the batch, for up to 16 channels.
struct CombineGradientSums {
  NormGradientSums a;
  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t first = group * kMaxLanes;
    const float* const of_dy = a.partial;
    const float* const of_dy_xhat = a.partial + a.shape.batch * a.shape.padded_channels();
    const NormGradientSums to = a;
    sum_samples(
        team, a.shape, first,
        [=](int l, double dy, double dy_xhat) {
          const std::int64_t c = first + l;
          to.sum_dy[c] = static_cast<float>(dy);
          to.sum_dy_xhat[c] = static_cast<float>(dy_xhat);
          if (to.dbeta != nullptr) to.dbeta[c] += static_cast<float>(dy);
          if (to.dgamma != nullptr) to.dgamma[c] += static_cast<float>(dy_xhat);
        },
        [=](std::int64_t i, int) { return static_cast<double>(of_dy[i]); },
        [=](std::int64_t i, int) { return static_cast<double>(of_dy_xhat[i]); });
  }
};

/// dx = scale dy - from_mean - (x - mean) from_xhat, the channel's two means folded into the coefficients.
template <class T, bool kAdd>
struct BackwardMap {
  static constexpr int kCoefficients = 4, kSources = kAdd ? 3 : 2;
  static constexpr bool kPerSample = false;
  const T* source[3];  // x, dy, add
  const float *mean, *rstd, *scale, *sum_dy, *sum_dy_xhat;
  float per_element;  // 1 / m

  INOCULA_DEVICE Coefficients<4> coefficients(std::int64_t, std::int64_t c) const {
    const float step = scale[c] * per_element;
    return {{scale[c], step * sum_dy[c], mean[c], step * rstd[c] * sum_dy_xhat[c]}};
  }
  INOCULA_DEVICE float operator()(const float* v, const Coefficients<4>& k) const {
    float dx = (k.v[0] * v[1] - k.v[1]) - (v[0] - k.v[2]) * k.v[3];
    if constexpr (kAdd) dx += v[2];
    return dx;
  }
};

template <class T, bool kAdd>
void map_backward(const Queue& queue, const NormBackward& a) {
  const float per_element = static_cast<float>(1.0 / static_cast<double>(a.shape.batch * a.shape.pixels()));
  const BackwardMap<T, kAdd> map{
      {static_cast<const T*>(a.x), static_cast<const T*>(a.dy), static_cast<const T*>(a.add)},
      a.mean,
      a.rstd,
      a.scale,
      a.sum_dy,
      a.sum_dy_xhat,
      per_element};
  map_planes(queue, a.shape, map, static_cast<T*>(a.dx), a.positive, nullptr);
}

}  // namespace

void batch_statistics(const Queue& queue, const BatchStatistics& args) {
  float* const offset = args.partial;
  float* const squares = args.partial + args.shape.batch * args.shape.padded_channels();
  with_element(args.shape.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, plane_lane_rows(args.shape), args.shape.pixels() * kMaxLanes,
                 PlaneMoments<T>{static_cast<const T*>(args.x), offset, squares, args.shape});
    for_each_row(queue, lane_groups(args.shape.padded_channels()), args.shape.batch * kMaxLanes,
                 CombineMoments<T>{args, offset, squares});
  });
}

void fold_norm(const Queue& queue, const FoldNorm& args) {
  for_each(queue, args.padded_channels, Fold{args});
}

void norm_gradient_sums(const Queue& queue, const NormGradientSums& args) {
  with_element(args.shape.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, plane_lane_rows(args.shape), args.shape.pixels() * kMaxLanes,
                 PlaneGradientSums<T>{args});
  });
  for_each_row(queue, lane_groups(args.shape.padded_channels()), args.shape.batch * kMaxLanes,
               CombineGradientSums{args});
}

void norm_backward(const Queue& queue, const NormBackward& args) {
  with_element(args.shape.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    args.add != nullptr ? map_backward<T, true>(queue, args) : map_backward<T, false>(queue, args);
  });
}

INOCULA_END_TARGET
