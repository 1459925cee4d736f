// Kernels on activations: pointwise maps, norms, pooling, copies of channels, and the gradient of the images.
#include "bench/kernel_cases.h"

namespace inocula::bench::cases {

namespace {

constexpr std::int64_t kChannels = 64;

/// Activations of 64 channels, 28x28 pixels, that fill `share` of an array.
PlaneShape planes(const Arrays& m, Element element, std::int64_t share = 1) {
  const std::int64_t block = m.device().backend().block(kChannels, element);
  PlaneShape s{1, kChannels, kSide, kSide, block, element};
  s.batch =
      m.size() * static_cast<std::int64_t>(sizeof(float)) / static_cast<std::int64_t>(s.bytes()) / share;
  return s;
}

double bytes_of(const PlaneShape& s) {
  return static_cast<double>(s.bytes());
}

/// One bit an element.
double bits_of(const PlaneShape& s) {
  return static_cast<double>(s.size()) / 8;
}

/// A case for each element that activations are stored in.
template <class Args>
std::vector<KernelCase<Args>> by_element(const std::string& variant,
                                         KernelWork<Args> (*make)(Arrays&, Element)) {
  const std::string prefix = variant.empty() ? "" : variant + "/";
  return {{prefix + "fp32", [make](Arrays& m) { return make(m, Element::f32); }},
          {prefix + "bf16", [make](Arrays& m) { return make(m, Element::bf16); }}};
}

template <class Args>
std::vector<KernelCase<Args>> joined(std::vector<KernelCase<Args>> a,
                                     const std::vector<KernelCase<Args>>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A pooling window and what it makes of 28x28 pixels.
struct Pooling {
  PlaneShape in, out;
  PoolWindow window;

  Pooling(const Arrays& m, Element element, std::int64_t kernel)
      : in(planes(m, element)),
        out(in),
        window{.kernel_h = kernel,
               .kernel_w = kernel,
               .stride_h = 2,
               .stride_w = 2,
               .pad_h = kernel / 2 * (kernel % 2),
               .pad_w = kernel / 2 * (kernel % 2)} {
    out.height = out.width = kSide / 2;
  }
};

KernelWork<Affine> affine_norm(Arrays& m, Element element) {
  Affine a;
  a.x = m.floats(0);
  a.y = m.floats(1);
  a.positive = m.zeros<std::uint8_t>(2);
  a.scale = m.vector(0);
  a.shift = m.vector(1);
  a.shape = planes(m, element);
  a.activation = Activation::relu;
  return {a, 2 * bytes_of(a.shape) + bits_of(a.shape)};
}

KernelWork<Affine> affine_sum(Arrays& m, Element element) {
  KernelWork<Affine> w = affine_norm(m, element);
  w.args.residual = m.floats(3);
  w.bytes += bytes_of(w.args.shape);
  return w;
}

KernelWork<PackPositive> pack(Arrays& m, Element element) {
  PackPositive a;
  a.y = m.floats(0);
  a.positive = m.zeros<std::uint8_t>(1);
  const PlaneShape shape = planes(m, element);
  a.size = shape.size();
  a.element = element;
  return {a, bytes_of(shape) + bits_of(shape)};
}

KernelWork<JoinGradient> join(Arrays& m, Element element) {
  JoinGradient a;
  a.dy = m.floats(0);
  a.add = m.floats(1);
  a.positive = m.zeros<std::uint8_t>(2);
  a.dx = m.floats(3);
  a.shape = planes(m, element);
  return {a, 3 * bytes_of(a.shape) + bits_of(a.shape)};
}

KernelWork<BatchStatistics> statistics(Arrays& m, Element element) {
  BatchStatistics a;
  a.x = m.floats(0);
  a.gamma = m.vector(0);
  a.beta = m.vector(1);
  a.mean = m.vector(2);
  a.rstd = m.vector(3);
  a.scale = m.vector(4);
  a.shift = m.vector(5);
  a.running_mean = m.vector(6);
  a.running_var = m.vector(7);
  a.partial = m.floats(1);
  a.shape = planes(m, element);
  return {a, bytes_of(a.shape)};
}

KernelWork<NormGradientSums> gradient_sums(Arrays& m, Element element) {
  NormGradientSums a;
  a.x = m.floats(0);
  a.dy = m.floats(1);
  a.mean = m.vector(0);
  a.rstd = m.vector(1);
  a.sum_dy = m.vector(2);
  a.sum_dy_xhat = m.vector(3);
  a.dgamma = m.vector(4);
  a.dbeta = m.vector(5);
  a.partial = m.floats(2);
  a.shape = planes(m, element);
  return {a, 2 * bytes_of(a.shape)};
}

KernelWork<NormBackward> backward(Arrays& m, Element element) {
  NormBackward a;
  a.x = m.floats(0);
  a.dy = m.floats(1);
  a.mean = m.vector(0);
  a.rstd = m.vector(1);
  a.scale = m.vector(2);
  a.sum_dy = m.vector(3);
  a.sum_dy_xhat = m.vector(4);
  a.add = m.floats(2);
  a.positive = m.zeros<std::uint8_t>(3);
  a.dx = m.floats(4);
  a.shape = planes(m, element);
  return {a, 4 * bytes_of(a.shape) + bits_of(a.shape)};
}

template <int kKernel>
KernelWork<MaxPool> max_pool_of(Arrays& m, Element element) {
  const Pooling p(m, element, kKernel);
  MaxPool a;
  a.x = m.floats(0);
  a.y = m.floats(1);
  a.arg = m.zeros<std::uint8_t>(2);
  a.in = p.in;
  a.out = p.out;
  a.window = p.window;
  return {a, bytes_of(a.in) + bytes_of(a.out) + static_cast<double>(a.out.size())};
}

template <int kKernel>
KernelWork<MaxPoolBackward> max_pool_backward_of(Arrays& m, Element element) {
  const Pooling p(m, element, kKernel);
  MaxPoolBackward a;
  a.dy = m.floats(0);
  a.arg = m.zeros<std::uint8_t>(1);
  a.positive = m.zeros<std::uint8_t>(2);
  a.dx = m.floats(3);
  a.in = p.in;
  a.out = p.out;
  a.window = p.window;
  return {a, bytes_of(a.in) + bits_of(a.in) + bytes_of(a.out) + static_cast<double>(a.out.size())};
}

KernelWork<AveragePool> average(Arrays& m, Element element) {
  const Pooling p(m, element, 2);
  AveragePool a;
  a.x = m.floats(0);
  a.y = m.floats(1);
  a.in = p.in;
  a.out = p.out;
  a.window = p.window;
  return {a, bytes_of(a.in) + bytes_of(a.out)};
}

KernelWork<AveragePoolBackward> average_backward(Arrays& m, Element element) {
  const Pooling p(m, element, 2);
  AveragePoolBackward a;
  a.dy = m.floats(0);
  a.positive = m.zeros<std::uint8_t>(1);
  a.dx = m.floats(2);
  a.in = p.in;
  a.out = p.out;
  a.window = p.window;
  return {a, bytes_of(a.in) + bits_of(a.in) + bytes_of(a.out)};
}

KernelWork<GlobalAveragePool> global(Arrays& m, Element element) {
  GlobalAveragePool a;
  a.x = m.floats(0);
  a.y = m.floats(1);
  a.in = planes(m, element);
  return {a, bytes_of(a.in) + static_cast<double>(sizeof(float) * a.in.batch * a.in.channels)};
}

KernelWork<GlobalAveragePoolBackward> global_backward(Arrays& m, Element element) {
  GlobalAveragePoolBackward a;
  a.dy = m.floats(0);
  a.positive = m.zeros<std::uint8_t>(1);
  a.dx = m.floats(2);
  a.in = planes(m, element);
  return {a,
          bytes_of(a.in) + bits_of(a.in) + static_cast<double>(sizeof(float) * a.in.batch * a.in.channels)};
}

KernelWork<CopyChannels> copy_half(Arrays& m, Element element) {
  CopyChannels a;
  a.from = m.floats(0);
  a.to = m.floats(1);
  a.from_shape = a.to_shape = planes(m, element, 2);
  a.to_shape.channels = 2 * kChannels;
  a.to_shape.block = m.device().backend().block(a.to_shape.channels, element);
  a.to_first = a.count = kChannels;
  return {a, 2 * bytes_of(a.from_shape)};
}

KernelWork<AddChannelSums> channel_sums(Arrays& m, Element element) {
  AddChannelSums a;
  a.dy = m.floats(0);
  a.sum = m.vector(0);
  a.partial = m.floats(1);
  a.shape = planes(m, element);
  return {a, bytes_of(a.shape)};
}

/// Through the first convolution of a network for grey images: 3x3 windows at stride 1.
KernelWork<ImageGradient> through_stem(Arrays& m, Element element) {
  ImageGradient a;
  a.dy = m.floats(0);
  a.weights = m.vector(0);
  a.dx = m.floats(1);
  a.out = planes(m, element);
  a.channels = 1;
  a.height = a.width = kSide;
  a.kernel_h = a.kernel_w = 3;
  a.pad_h = a.pad_w = 1;
  return {a, bytes_of(a.out) + static_cast<double>(sizeof(float) * a.out.batch * kPixels)};
}

}  // namespace

std::vector<KernelCase<Affine>> affine() {
  return joined(by_element("norm_relu", affine_norm), by_element("norm_sum_relu", affine_sum));
}

std::vector<KernelCase<PackPositive>> pack_positive() {
  return by_element("", pack);
}

std::vector<KernelCase<JoinGradient>> join_gradient() {
  return by_element("", join);
}

std::vector<KernelCase<BatchStatistics>> batch_statistics() {
  return by_element("", statistics);
}

std::vector<KernelCase<FoldNorm>> fold_norm() {
  return {{"", [](Arrays& m) {
             FoldNorm a;
             a.gamma = m.floats(0);
             a.beta = m.floats(1);
             a.running_mean = m.floats(2);
             a.running_var = m.floats(3);
             a.scale = m.floats(4);
             a.shift = m.floats(5);
             a.channels = a.padded_channels = m.size();
             return KernelWork<FoldNorm>{a, static_cast<double>(6 * sizeof(float) * a.channels)};
           }}};
}

std::vector<KernelCase<NormGradientSums>> norm_gradient_sums() {
  return by_element("", gradient_sums);
}

std::vector<KernelCase<NormBackward>> norm_backward() {
  return by_element("", backward);
}

std::vector<KernelCase<MaxPool>> max_pool() {
  return joined(by_element("2x2", max_pool_of<2>), by_element("3x3", max_pool_of<3>));
}

std::vector<KernelCase<MaxPoolBackward>> max_pool_backward() {
  return joined(by_element("2x2", max_pool_backward_of<2>), by_element("3x3", max_pool_backward_of<3>));
}

std::vector<KernelCase<AveragePool>> average_pool() {
  return by_element("", average);
}

std::vector<KernelCase<AveragePoolBackward>> average_pool_backward() {
  return by_element("", average_backward);
}

std::vector<KernelCase<GlobalAveragePool>> global_average_pool() {
  return by_element("", global);
}

std::vector<KernelCase<GlobalAveragePoolBackward>> global_average_pool_backward() {
  return by_element("", global_backward);
}

std::vector<KernelCase<ImageGradient>> image_gradient() {
  return by_element("", through_stem);
}

std::vector<KernelCase<CopyChannels>> copy_channels() {
  return by_element("", copy_half);
}

std::vector<KernelCase<AddChannelSums>> add_channel_sums() {
  return by_element("", channel_sums);
}

}  // namespace inocula::bench::cases
