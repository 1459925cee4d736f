// Body of image_gradient: one row of pixels at a time, products over blocks of output channels.
#include "kernels/image_gradient.h"

#include "kernels/for_each.h"
#include "kernels/lanes.h"

INOCULA_BEGIN_TARGET

namespace {

/// Where output pixel `position / stride` touches input `at` through tap `k`; -1 where it does not.
INOCULA_DEVICE inline std::int64_t touching(std::int64_t at, std::int64_t k, std::int64_t pad,
                                            std::int64_t dilation, std::int64_t stride, std::int64_t extent) {
  const std::int64_t position = at + pad - k * dilation;
  if (stride == 1) return position >= 0 && position < extent ? position : -1;
  if (position < 0 || position % stride != 0 || position / stride >= extent) return -1;
  return position / stride;
}

/// kBlock channels of an output pixel are multiplied side by side.
template <class T, int kBlock>
struct ImageGradientRow {
  ImageGradient a;

  /// Calls f(d, w) for every kBlock outputs that the pixel meets: their gradient and its weights.
  template <class F>
  INOCULA_DEVICE void each_block(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x,
                                 const F& f) const {
    const std::int64_t padded = a.out.padded_channels();
    for (std::int64_t kh = 0; kh < a.kernel_h; ++kh) {
      const std::int64_t oy = touching(y, kh, a.pad_h, a.dilation_h, a.stride_h, a.out.height);
      if (oy < 0) continue;
      for (std::int64_t kw = 0; kw < a.kernel_w; ++kw) {
        const std::int64_t ox = touching(x, kw, a.pad_w, a.dilation_w, a.stride_w, a.out.width);
        if (ox < 0) continue;
        const float* w = a.weights + ((kh * a.kernel_w + kw) * a.channels + c) * padded;
        const T* d = static_cast<const T*>(a.dy) + n * a.out.blocks() * a.out.plane_size() +
                     (oy * a.out.width + ox) * a.out.block;
        // A plane's block holds several of ours where the layout is channels-last.
        for (std::int64_t plane = 0; plane < a.out.blocks(); ++plane, d += a.out.plane_size())
          for (std::int64_t first = 0; first < a.out.block; first += kBlock, w += kBlock) f(d + first, w);
      }
    }
  }

#if !defined(INOCULA_CUDA)

  float pixel(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) const {
    float lane[kBlock] = {};
    each_block(n, c, y, x, [&](const T* d, const float* w) {
      float space[kBlock];
      const float* const v = load_lanes<kBlock>(d, space);
      for (int l = 0; l < kBlock; ++l) lane[l] += v[l] * w[l];
    });
    for (int width = kBlock / 2; width > 0; width /= 2)
      for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
    return lane[0];
  }

  void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t n = row / a.height, y = row % a.height;
    const ImageGradientRow self = *this;
    for (std::int64_t c = 0; c < a.channels; ++c) {
      float* out = a.dx + ((n * a.channels + c) * a.height + y) * a.width;
      team.each(a.width, [=](std::int64_t x) { out[x] = self.pixel(n, c, y, x); });
    }
  }

#else  // CUDA

  /// Neighbouring threads are the lanes of one pixel and read side by side; they add as the CPU's lanes do.
  __device__ void operator()(std::int64_t row, const Team&) const {
    constexpr int kPixels = kRowThreads / kBlock;
    const std::int64_t n = row / a.height, y = row % a.height;
    const int lane = threadIdx.x % kBlock;
    for (std::int64_t c = 0; c < a.channels; ++c) {
      float* const out = a.dx + ((n * a.channels + c) * a.height + y) * a.width;
      for (std::int64_t first = 0; first < a.width; first += kPixels) {
        const std::int64_t x = first + threadIdx.x / kBlock;
        float sum = 0;
        if (x < a.width)
          each_block(n, c, y, x, [&](const T* d, const float* w) { sum += to_float(d[lane]) * w[lane]; });
        for (int width = kBlock / 2; width > 0; width /= 2)
          sum += __shfl_down_sync(0xFFFFFFFFu, sum, width, kBlock);
        if (lane == 0 && x < a.width) out[x] = sum;
      }
    }
  }

#endif
};

}  // namespace

void image_gradient(const Queue& queue, const ImageGradient& args) {
  const std::int64_t cost = args.width * args.out.channels * args.kernel_h * args.kernel_w;
  with_element(args.out.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    if (args.out.block % 16 == 0)
      for_each_row(queue, args.out.batch * args.height, cost, ImageGradientRow<T, 16>{args});
    else
      for_each_row(queue, args.out.batch * args.height, cost, ImageGradientRow<T, 8>{args});
  });
}

INOCULA_END_TARGET
