// Bodies of the pooling kernels.
#include "kernels/pool.h"

#include <cmath>

#include "kernels/bits.h"
#include "kernels/for_each.h"
#include "kernels/lanes.h"
#include "kernels/map_planes.h"
#include "kernels/plane_sums.h"

INOCULA_BEGIN_TARGET

namespace {

/// Positions from `begin` up to, not including, `end`.
struct Range {
  std::int64_t begin, end;
};

/// Inputs inside the image that output o's window covers; `start` is the window's first, perhaps in the
/// padding.
INOCULA_HD inline Range covered(std::int64_t start, std::int64_t kernel, std::int64_t inputs) {
  return {start > 0 ? start : 0, start + kernel < inputs ? start + kernel : inputs};
}

/// Outputs whose windows cover input i.
INOCULA_HD inline Range covering(std::int64_t i, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                                 std::int64_t outputs) {
  // In 32 bits, whose divisions cost a fraction: a side has fewer than 2^31 pixels.
  const std::int32_t at = static_cast<std::int32_t>(i + pad), step = static_cast<std::int32_t>(stride);
  const std::int32_t before = at - static_cast<std::int32_t>(kernel);
  const std::int64_t end = at / step + 1;
  return {before < 0 ? 0 : before / step + 1, end < outputs ? end : outputs};
}

/// One line of outputs in one plane.
template <class T>
struct MaxPoolLine {
  MaxPool a;
  INOCULA_DEVICE void operator()(std::int64_t line, const Team& team) const {
    const std::int64_t plane = line / a.out.height, oy = line - plane * a.out.height;
    const std::int64_t block = a.in.block, in_width = a.in.width;
    const PoolWindow w = a.window;
    const std::int64_t top = oy * w.stride_h - w.pad_h;
    const Range rows = covered(top, w.kernel_h, a.in.height);
    const T* const x = static_cast<const T*>(a.x) + plane * a.in.plane_size();
    T* const y = static_cast<T*>(a.y) + line * a.out.width * block;
    std::uint8_t* const arg = a.arg != nullptr ? a.arg + line * a.out.width * block : nullptr;
    each_lanes(team, a.out.width, block, [=](auto lanes, std::int64_t ox, std::int64_t lane) {
      constexpr int kLanes = decltype(lanes)::value;
      const std::int64_t left = ox * w.stride_w - w.pad_w;
      const Range cols = covered(left, w.kernel_w, in_width);
      float best[kLanes];
      std::int32_t winner[kLanes];
      for (int l = 0; l < kLanes; ++l) {
        best[l] = -INFINITY;
        winner[l] = static_cast<std::int32_t>((rows.begin - top) * w.kernel_w + (cols.begin - left));
      }
      for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
        for (std::int64_t ix = cols.begin; ix < cols.end; ++ix) {
          const std::int32_t cell = static_cast<std::int32_t>((iy - top) * w.kernel_w + (ix - left));
          float space[kLanes];
          const float* const v = load_lanes<kLanes>(x + (iy * in_width + ix) * block + lane, space);
#pragma omp simd
          for (int l = 0; l < kLanes; ++l) {
            const bool wins = v[l] > best[l] || v[l] != v[l];
            winner[l] = wins ? cell : winner[l];
            best[l] = wins ? v[l] : best[l];
          }
        }
      }
      const std::int64_t at = ox * block + lane;
      store_lanes<kLanes>(best, y + at);
      if (arg != nullptr)
        for (int l = 0; l < kLanes; ++l) arg[at + l] = static_cast<std::uint8_t>(winner[l]);
    });
  }
};

/// dx from the gradient through the pool, what else reached x, and x's sign.
template <int kLanes, class T>
INOCULA_DEVICE inline void store_gradient(float* sum, const T* add, const std::uint8_t* positive, T* dx,
                                          std::int64_t at) {
  if (add != nullptr) {
    float space[kLanes];
    const float* const v = load_lanes<kLanes>(add + at, space);
#pragma omp simd
    for (int l = 0; l < kLanes; ++l) sum[l] += v[l];
  }
  if (positive != nullptr) keep_lanes<kLanes>(sum, positive, at);
  store_lanes<kLanes>(sum, dx + at);
}

/// One line of inputs in one plane.
template <class T>
struct MaxPoolBackwardLine {
  MaxPoolBackward a;
  INOCULA_DEVICE void operator()(std::int64_t line, const Team& team) const {
    const std::int64_t plane = line / a.in.height, iy = line - plane * a.in.height;
    const std::int64_t block = a.in.block, out_width = a.out.width;
    const PoolWindow w = a.window;
    const Range rows = covering(iy, w.kernel_h, w.stride_h, w.pad_h, a.out.height);
    const T* const dy = static_cast<const T*>(a.dy) + plane * a.out.plane_size();
    const std::uint8_t* const arg = a.arg + plane * a.out.plane_size();
    const T* const add = static_cast<const T*>(a.add);
    const std::uint8_t* const positive = a.positive;
    T* const dx = static_cast<T*>(a.dx);
    const std::int64_t line_begin = line * a.in.width * block;
    each_lanes(team, a.in.width, block, [=](auto lanes, std::int64_t ix, std::int64_t lane) {
      constexpr int kLanes = decltype(lanes)::value;
      const Range cols = covering(ix, w.kernel_w, w.stride_w, w.pad_w, out_width);
      float sum[kLanes] = {};
      for (std::int64_t oy = rows.begin; oy < rows.end; ++oy) {
        for (std::int64_t ox = cols.begin; ox < cols.end; ++ox) {
          const std::int32_t cell = static_cast<std::int32_t>(
              (iy - (oy * w.stride_h - w.pad_h)) * w.kernel_w + (ix - (ox * w.stride_w - w.pad_w)));
          const std::int64_t at = (oy * out_width + ox) * block + lane;
          // Widened first: a comparison of bytes would hold the floats to bytes' vectors.
          std::int32_t won[kLanes];
          for (int l = 0; l < kLanes; ++l) won[l] = arg[at + l];
          float space[kLanes];
          const float* const v = load_lanes<kLanes>(dy + at, space);
#pragma omp simd
          for (int l = 0; l < kLanes; ++l) sum[l] += won[l] == cell ? v[l] : 0.0f;
        }
      }
      store_gradient<kLanes>(sum, add, positive, dx, line_begin + ix * block + lane);
    });
  }
};

template <class T>
struct AveragePoolLine {
  AveragePool a;
  INOCULA_DEVICE void operator()(std::int64_t line, const Team& team) const {
    const std::int64_t plane = line / a.out.height, oy = line - plane * a.out.height;
    const std::int64_t block = a.in.block, in_width = a.in.width;
    const PoolWindow w = a.window;
    const Range rows = covered(oy * w.stride_h - w.pad_h, w.kernel_h, a.in.height);
    const float cells = static_cast<float>(w.kernel_h * w.kernel_w);
    const T* const x = static_cast<const T*>(a.x) + plane * a.in.plane_size();
    T* const y = static_cast<T*>(a.y) + line * a.out.width * block;
    each_lanes(team, a.out.width, block, [=](auto lanes, std::int64_t ox, std::int64_t lane) {
      constexpr int kLanes = decltype(lanes)::value;
      const Range cols = covered(ox * w.stride_w - w.pad_w, w.kernel_w, in_width);
      float sum[kLanes] = {};
      for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
        for (std::int64_t ix = cols.begin; ix < cols.end; ++ix) {
          float space[kLanes];
          const float* const v = load_lanes<kLanes>(x + (iy * in_width + ix) * block + lane, space);
#pragma omp simd
          for (int l = 0; l < kLanes; ++l) sum[l] += v[l];
        }
      }
      for (int l = 0; l < kLanes; ++l) sum[l] = sum[l] / cells;
      store_lanes<kLanes>(sum, y + ox * block + lane);
    });
  }
};

template <class T>
struct AveragePoolBackwardLine {
  AveragePoolBackward a;
  INOCULA_DEVICE void operator()(std::int64_t line, const Team& team) const {
    const std::int64_t plane = line / a.in.height, iy = line - plane * a.in.height;
    const std::int64_t block = a.in.block, out_width = a.out.width;
    const PoolWindow w = a.window;
    const Range rows = covering(iy, w.kernel_h, w.stride_h, w.pad_h, a.out.height);
    const float cells = static_cast<float>(w.kernel_h * w.kernel_w);
    const T* const dy = static_cast<const T*>(a.dy) + plane * a.out.plane_size();
    const T* const add = static_cast<const T*>(a.add);
    const std::uint8_t* const positive = a.positive;
    T* const dx = static_cast<T*>(a.dx);
    const std::int64_t line_begin = line * a.in.width * block;
    each_lanes(team, a.in.width, block, [=](auto lanes, std::int64_t ix, std::int64_t lane) {
      constexpr int kLanes = decltype(lanes)::value;
      const Range cols = covering(ix, w.kernel_w, w.stride_w, w.pad_w, out_width);
      float sum[kLanes] = {};
      for (std::int64_t oy = rows.begin; oy < rows.end; ++oy) {
        for (std::int64_t ox = cols.begin; ox < cols.end; ++ox) {
          float space[kLanes];
          const float* const v = load_lanes<kLanes>(dy + (oy * out_width + ox) * block + lane, space);
#pragma omp simd
          for (int l = 0; l < kLanes; ++l) sum[l] += v[l];
        }
      }
      for (int l = 0; l < kLanes; ++l) sum[l] = sum[l] / cells;
      store_gradient<kLanes>(sum, add, positive, dx, line_begin + ix * block + lane);
    });
  }
};

/// Up to 16 channels of one sample.
template <class T>
struct GlobalAverageLanes {
  GlobalAveragePool a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const PlaneLanes part = plane_lanes(a.in, row);
    const T* const x = static_cast<const T*>(a.x);
    float* const y = a.y + part.sample * a.in.channels + part.channel;
    const std::int64_t channels = a.in.channels - part.channel;
    const double pixels = static_cast<double>(a.in.pixels());
    sum_plane(
        team, a.in, part,
        [=](int l, double sum) {
          if (l < channels) y[l] = static_cast<float>(sum / pixels);
        },
        [=](std::int64_t i, int) { return to_float(x[i]); });
  }
};

/// Each pixel's share of its channel's gradient.
template <class T, bool kAdd>
struct GlobalAverageBackwardMap {
  static constexpr int kCoefficients = 1, kSources = kAdd ? 1 : 0;
  static constexpr bool kPerSample = true;
  const T* source[1];  // add
  const float* dy;
  std::int64_t channels;
  float pixels;

  INOCULA_DEVICE Coefficients<1> coefficients(std::int64_t n, std::int64_t c) const {
    return {{c < channels ? dy[n * channels + c] / pixels : 0.0f}};
  }
  INOCULA_DEVICE float operator()(const float* v, const Coefficients<1>& k) const {
    float dx = k.v[0];
    if constexpr (kAdd) dx += v[0];
    return dx;
  }
};

template <class T, bool kAdd>
void map_global_average_backward(const Queue& queue, const GlobalAveragePoolBackward& a) {
  const GlobalAverageBackwardMap<T, kAdd> map{
      {static_cast<const T*>(a.add)}, a.dy, a.in.channels, static_cast<float>(a.in.pixels())};
  map_planes(queue, a.in, map, static_cast<T*>(a.dx), a.positive, nullptr);
}

/// Cells that a line of `side` touches: what a launch weighs.
std::int64_t line_cost(const PlaneShape& side, const PoolWindow& window) {
  return side.width * side.block * window.kernel_h * window.kernel_w;
}

}  // namespace

void max_pool(const Queue& queue, const MaxPool& args) {
  with_element(args.in.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, args.out.planes() * args.out.height, line_cost(args.out, args.window),
                 MaxPoolLine<T>{args});
  });
}

void max_pool_backward(const Queue& queue, const MaxPoolBackward& args) {
  with_element(args.in.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, args.in.planes() * args.in.height, line_cost(args.in, args.window),
                 MaxPoolBackwardLine<T>{args});
  });
}

void average_pool(const Queue& queue, const AveragePool& args) {
  with_element(args.in.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, args.out.planes() * args.out.height, line_cost(args.out, args.window),
                 AveragePoolLine<T>{args});
  });
}

void average_pool_backward(const Queue& queue, const AveragePoolBackward& args) {
  with_element(args.in.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, args.in.planes() * args.in.height, line_cost(args.in, args.window),
                 AveragePoolBackwardLine<T>{args});
  });
}

void global_average_pool(const Queue& queue, const GlobalAveragePool& args) {
  with_element(args.in.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, plane_lane_rows(args.in), args.in.pixels() * kMaxLanes, GlobalAverageLanes<T>{args});
  });
}

void global_average_pool_backward(const Queue& queue, const GlobalAveragePoolBackward& args) {
  with_element(args.in.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    args.add != nullptr ? map_global_average_backward<T, true>(queue, args)
                        : map_global_average_backward<T, false>(queue, args);
  });
}

INOCULA_END_TARGET
