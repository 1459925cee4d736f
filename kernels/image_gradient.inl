// Body of image_gradient: products over blocks of output channels.
#include "kernels/image_gradient.h"

#include "kernels/for_each.h"
#include "kernels/lanes.h"
#include "kernels/octet.h"

INOCULA_BEGIN_TARGET

namespace {

/// Where output pixel `position / stride` touches input `at` through tap `k`; -1 where it does not.
INOCULA_DEVICE inline std::int64_t touching(std::int64_t at, std::int64_t k, std::int64_t pad,
                                            std::int64_t dilation, std::int64_t stride, std::int64_t extent) {
  const std::int64_t position = at + pad - k * dilation;
  if (position < 0) return -1;
  if (stride == 1) return position < extent ? position : -1;
  // A side has fewer than 2^32 pixels; 32-bit divisions are many times faster.
  const auto from = static_cast<std::uint32_t>(position), step = static_cast<std::uint32_t>(stride);
  const std::uint32_t output = from / step;
  return output * step == from && output < extent ? std::int64_t{output} : -1;
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

  /// A thread takes eight lanes of a pixel, which it reads 16 bytes at a time; they add as the CPU's lanes
  /// do.
  __device__ void operator()(std::int64_t row, const Team&) const {
    constexpr int kPixelThreads = kBlock / kOctet;
    const std::int64_t pixel = (row * kRowThreads + threadIdx.x) / kPixelThreads;
    const int lane = threadIdx.x % kPixelThreads * kOctet;
    const std::int64_t image = a.height * a.channels * a.width, n = pixel / image;
    // A line of one channel is followed by that of the next, which reads the same dy. An image has fewer than
    // 2^32 pixels; 32-bit divisions are many times faster.
    const auto in_image = static_cast<std::uint32_t>(pixel - n * image);
    const auto width = static_cast<std::uint32_t>(a.width), channels = static_cast<std::uint32_t>(a.channels);
    const std::uint32_t line = in_image / width, x = in_image - line * width;
    const std::uint32_t y = line / channels, c = line - y * channels;
    float sum[kOctet] = {};
    if (n < a.out.batch) {
      each_block(n, c, y, x, [&](const T* d, const float* w) {
        float of_dy[kOctet], of_w[kOctet];
        load_octet(d + lane, of_dy);
        load_octet(w + lane, of_w);
        for (int l = 0; l < kOctet; ++l) sum[l] += of_dy[l] * of_w[l];
      });
    }
    if constexpr (kPixelThreads == 2)
      for (int l = 0; l < kOctet; ++l) sum[l] += __shfl_down_sync(0xFFFFFFFFu, sum[l], 1, kPixelThreads);
    for (int count = kOctet / 2; count > 0; count /= 2)
      for (int l = 0; l < count; ++l) sum[l] += sum[l + count];
    if (lane == 0 && n < a.out.batch) a.dx[((n * a.channels + c) * a.height + y) * a.width + x] = sum[0];
  }

#endif
};

template <class T, int kBlock>
void launch_rows(const Queue& queue, const ImageGradient& a) {
#if !defined(INOCULA_CUDA)
  const std::int64_t rows = a.out.batch * a.height;
  const std::int64_t cost = a.width * a.out.channels * a.kernel_h * a.kernel_w;
#else
  const std::int64_t threads = a.out.batch * a.channels * a.height * a.width * (kBlock / kOctet);
  const std::int64_t rows = (threads + kRowThreads - 1) / kRowThreads;
  const std::int64_t cost = kRowThreads * kThreadElements;
#endif
  for_each_row(queue, rows, cost, ImageGradientRow<T, kBlock>{a});
}

}  // namespace

void image_gradient(const Queue& queue, const ImageGradient& args) {
  with_element(args.out.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    if (args.out.block % 16 == 0)
      launch_rows<T, 16>(queue, args);
    else
      launch_rows<T, 8>(queue, args);
  });
}

INOCULA_END_TARGET
