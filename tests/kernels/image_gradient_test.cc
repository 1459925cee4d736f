// The gradient of the images through the first convolution, against plain loops in double.
#include <cmath>

#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Convolution {
  std::int64_t kernel = 1, stride = 1, pad = 0, dilation = 1;
};

void check_image_gradient(Element element) {
  constexpr std::int64_t kHeight = 11, kWidth = 9;
  for (const std::int64_t outputs : {8, 20, 33}) {
    for (const std::int64_t block : {8, 16, 48}) {
      for (const std::int64_t channels : {1, 3, 4}) {
        for (const Convolution& conv : {Convolution{3, 1, 1, 1}, Convolution{7, 2, 3, 1},
                                        Convolution{1, 1, 0, 1}, Convolution{3, 1, 2, 2}}) {
          const std::int64_t span = (conv.kernel - 1) * conv.dilation + 1;
          const PlaneShape out{.batch = 2,
                               .channels = outputs,
                               .height = (kHeight + 2 * conv.pad - span) / conv.stride + 1,
                               .width = (kWidth + 2 * conv.pad - span) / conv.stride + 1,
                               .block = block,
                               .element = element};
          CAPTURE(to_string(out));
          CAPTURE(channels);
          CAPTURE(conv.kernel);
          const Dense dy = random_dense(out, 1);
          const Planes dy_planes = to_planes(dy, out);
          const std::int64_t padded_outputs = out.blocks() * block;
          // weights[kh][kw][c][o], zero in the padding.
          std::vector<float> weights = random_floats(
              static_cast<std::size_t>(conv.kernel * conv.kernel * channels * padded_outputs), 2);
          for (std::size_t i = 0; i < weights.size(); ++i)
            if (static_cast<std::int64_t>(i) % padded_outputs >= outputs) weights[i] = 0;
          const std::size_t size = static_cast<std::size_t>(2 * channels * kHeight * kWidth);
          const Outputs result = same_everywhere([&](const Run& run) {
            Guarded<float> dx(size, kNan);
            run.kernels.image_gradient(run.queue, {.dy = dy_planes.data(),
                                                   .weights = weights.data(),
                                                   .dx = dx.data(),
                                                   .out = out,
                                                   .channels = channels,
                                                   .height = kHeight,
                                                   .width = kWidth,
                                                   .kernel_h = conv.kernel,
                                                   .kernel_w = conv.kernel,
                                                   .stride_h = conv.stride,
                                                   .stride_w = conv.stride,
                                                   .pad_h = conv.pad,
                                                   .pad_w = conv.pad,
                                                   .dilation_h = conv.dilation,
                                                   .dilation_w = conv.dilation});
            return Outputs{dx.values()};
          });
          Dense dx(2, channels, kHeight, kWidth);
          for (std::int64_t n = 0; n < 2; ++n)
            for (std::int64_t o = 0; o < outputs; ++o)
              for (std::int64_t oy = 0; oy < out.height; ++oy)
                for (std::int64_t ox = 0; ox < out.width; ++ox)
                  for (std::int64_t kh = 0; kh < conv.kernel; ++kh)
                    for (std::int64_t kw = 0; kw < conv.kernel; ++kw)
                      for (std::int64_t c = 0; c < channels; ++c) {
                        const std::int64_t y = oy * conv.stride - conv.pad + kh * conv.dilation;
                        const std::int64_t x = ox * conv.stride - conv.pad + kw * conv.dilation;
                        if (y < 0 || y >= kHeight || x < 0 || x >= kWidth) continue;
                        const std::int64_t w = ((kh * conv.kernel + kw) * channels + c) * padded_outputs + o;
                        dx.at(n, c, y, x) += dy.at(n, o, oy, ox) * weights[static_cast<std::size_t>(w)];
                      }
          // Float sums of products of order 1: up to 49 taps of 33 outputs.
          const double bound =
              4 * kFloatEpsilon * std::sqrt(static_cast<double>(conv.kernel * conv.kernel * outputs));
          check_near(result[0], dx.v, bound, bound, "dx");
        }
      }
    }
  }
}

TEST_CASE("image_gradient agrees with the double reference") {
  check_image_gradient(Element::f32);
}

TEST_CASE("image_gradient in bf16 is exact for what is stored: its result stays in floats") {
  check_image_gradient(Element::bf16);
}

}  // namespace
}  // namespace inocula::test
