// Kernels on parameters, batches and plain arrays: linear layers, weights' forms, optimizers, data, the
// roofs.
#include "bench/kernel_cases.h"

namespace inocula::bench::cases {

namespace {

constexpr double kFloat = sizeof(float);
constexpr std::int64_t kFeatures = 512, kClasses = 2;  // of ResNet-18's last layer

/// Outputs of a convolution of 3x3 windows over 512 channels whose weights fill an array.
std::int64_t filters_of(const Arrays& m) {
  return m.size() / (kFeatures * 9) / 16 * 16;
}

KernelWork<Gather> gather_batch(Arrays& m, bool augmented) {
  Gather a;
  a.rows = m.size() / kPixels;
  a.channels = 1;
  a.height = a.width = kSide;
  a.images = m.zeros<std::uint8_t>(0);
  a.all_labels = m.zeros<std::int32_t>(1);
  // Each image once, from all over the data set.
  std::vector<std::int32_t> index(static_cast<std::size_t>(a.rows));
  constexpr std::int64_t kStride = 7919;  // a prime, and no divisor of the number of images
  for (std::size_t i = 0; i < index.size(); ++i)
    index[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) * kStride % a.rows);
  a.index = m.integers(2, index);
  a.state = m.one(0, StepState{});
  a.x = m.floats(3);
  a.label = m.zeros<std::int32_t>(4);
  a.flip = augmented ? 1 : 0;
  a.shift = augmented ? 4 : 0;
  return {a, static_cast<double>(a.rows * kPixels) * (1 + kFloat)};
}

}  // namespace

std::vector<KernelCase<PackWeights>> pack_weights() {
  return {{"", [](Arrays& m) {
             PackWeights a;
             a.plain = m.floats(0);
             a.packed = m.floats(1);
             a.outputs = a.padded_outputs = filters_of(m);
             a.inputs = a.padded_inputs = kFeatures;
             a.taps = 9;
             return KernelWork<PackWeights>{a, 2 * kFloat * static_cast<double>(a.packed_size())};
           }}};
}

std::vector<KernelCase<AddWeightGradient>> add_weight_gradient() {
  return {{"", [](Arrays& m) {
             AddWeightGradient a;
             a.packed = m.floats(0);
             a.plain = m.floats(1);
             a.outputs = filters_of(m);
             a.inputs = a.padded_inputs = kFeatures;
             a.taps = 9;
             return KernelWork<AddWeightGradient>{
                 a, 3 * kFloat * static_cast<double>(a.outputs * a.inputs * a.taps)};
           }}};
}

std::vector<KernelCase<LinearForward>> linear_forward() {
  return {{"", [](Arrays& m) {
             LinearForward a{m.floats(0),          m.vector(0), m.vector(1), m.floats(1),
                             m.size() / kFeatures, kFeatures,   kClasses};
             return KernelWork<LinearForward>{a, kFloat * static_cast<double>(a.rows * (a.in + a.out))};
           }}};
}

std::vector<KernelCase<LinearBackwardData>> linear_backward_data() {
  return {{"", [](Arrays& m) {
             LinearBackwardData a{m.floats(0),          m.vector(0), m.floats(1),
                                  m.size() / kFeatures, kFeatures,   kClasses};
             return KernelWork<LinearBackwardData>{a, kFloat * static_cast<double>(a.rows * (a.in + a.out))};
           }}};
}

std::vector<KernelCase<LinearBackwardParams>> linear_backward_params() {
  return {
      {"", [](Arrays& m) {
         LinearBackwardParams a{m.floats(0),          m.floats(1), m.vector(0), m.vector(1),
                                m.size() / kFeatures, kFeatures,   kClasses};
         return KernelWork<LinearBackwardParams>{a, kFloat * static_cast<double>(a.rows * (a.in + a.out))};
       }}};
}

std::vector<KernelCase<Sgd>> sgd() {
  return {{"", [](Arrays& m) {
             Sgd a;
             a.param = m.floats(0);
             a.gradient = m.floats(1);
             a.velocity = m.floats(2);
             a.state = m.one(0, StepState{.learning_rate = 1e-3f});
             a.size = m.size();
             a.momentum = 0.9f;
             a.decay = 5e-4f;
             return KernelWork<Sgd>{a, 5 * kFloat * static_cast<double>(a.size)};
           }}};
}

std::vector<KernelCase<Adam>> adam() {
  return {{"", [](Arrays& m) {
             Adam a;
             a.param = m.floats(0);
             a.gradient = m.floats(1);
             a.mean = m.floats(2);
             a.variance = m.floats(3);
             a.state = m.one(0, StepState{.learning_rate = 1e-3f});
             a.size = m.size();
             return KernelWork<Adam>{a, 7 * kFloat * static_cast<double>(a.size)};
           }}};
}

std::vector<KernelCase<Fill>> fill() {
  return {{"", [](Arrays& m) {
             const Fill a{m.floats(0), m.size(), 1.0f};
             return KernelWork<Fill>{a, kFloat * static_cast<double>(a.size)};
           }}};
}

std::vector<KernelCase<ScaleRows>> scale_rows() {
  return {{"", [](Arrays& m) {
             constexpr std::int64_t kCols = kFeatures * 9;
             const ScaleRows a{m.floats(0), m.floats(1), m.floats(2), m.size() / kCols, kCols};
             return KernelWork<ScaleRows>{a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<Gather>> gather() {
  return {{"plain", [](Arrays& m) { return gather_batch(m, false); }},
          {"augmented", [](Arrays& m) { return gather_batch(m, true); }}};
}

std::vector<KernelCase<FmaChains>> fma_chains() {
  return {{"", [](Arrays& m) {
             const bool cpu = m.device().name() == "cpu";
             const FmaChains a{m.floats(0), cpu ? m.device().threads() : std::int64_t{1} << 17,
                               cpu ? 200'000 : 1'000};
             return KernelWork<FmaChains>{
                 a, 0, 2.0 * kFmaLanes * kFmaChains * static_cast<double>(a.length * a.tasks)};
           }}};
}

std::vector<KernelCase<CopyFloats>> copy_floats() {
  return {{"", [](Arrays& m) {
             const CopyFloats a{m.floats(0), m.floats(1), m.size()};
             return KernelWork<CopyFloats>{a, 2 * kFloat * static_cast<double>(a.size)};
           }}};
}

}  // namespace inocula::bench::cases
