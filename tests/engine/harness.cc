// Bodies of what tests of networks share.
#include "tests/engine/harness.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "engine/loss.h"

namespace inocula::test {

namespace {

constexpr double kKinkDistance = 1e-5;
constexpr double kSmallShare = 1e-2;

std::vector<float> download(const Buffer& buffer, const ParameterLayout& layout) {
  std::vector<float> values(static_cast<std::size_t>(layout.extent()));
  buffer.download(values.data(), values.size());
  return values;
}

}  // namespace

const Device& cpu() {
  static const Device device = Device::open("cpu", {.threads = 1, .instruction_set = ""});
  return device;
}

const Device& precise_cpu() {
  static const Device device = Device::open("cpu", {.threads = 1, .precise = true});
  return device;
}

const Device& cpu_of_two_threads() {
  static const Device device = Device::open("cpu", {.threads = 2, .instruction_set = ""});
  return device;
}

namespace {

std::vector<const Device*>& devices_beside_the_cpu() {
  static std::vector<const Device*> devices;
  return devices;
}

}  // namespace

void add_device(const Device& device) {
  devices_beside_the_cpu().push_back(&device);
}

const std::vector<const Device*>& added_devices() {
  return devices_beside_the_cpu();
}

std::vector<float> random_images(const Shape& shape, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
  std::vector<float> images(static_cast<std::size_t>(shape.size()));
  for (float& v : images) v = uniform(generator);
  return images;
}

std::vector<std::int32_t> random_labels(std::int64_t count, std::int64_t classes, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < count; ++i)
    labels.push_back(static_cast<std::int32_t>(generator() % static_cast<std::uint64_t>(classes)));
  return labels;
}

ImageSplit random_split(std::int64_t count, const Shape& image, std::int64_t classes, unsigned seed) {
  std::mt19937 generator(seed);
  ImageSplit split;
  split.name = "random";
  split.count = count;
  split.height = image.h;
  split.width = image.w;
  split.channels = image.c;
  split.pixels.resize(static_cast<std::size_t>(count * split.image_bytes()));
  for (std::uint8_t& p : split.pixels) p = static_cast<std::uint8_t>(generator());
  split.labels = random_labels(count, classes, seed + 1);
  for (std::int64_t k = 0; k < std::min(classes, count); ++k)
    split.labels[static_cast<std::size_t>(k)] = static_cast<std::int32_t>(k);
  return split;
}

void randomize(Network& network, std::uint64_t seed) {
  network.initialize(seed);
  std::mt19937 generator(static_cast<unsigned>(seed) + 17);
  const auto fill = [&](Buffer& buffer, const ParameterEntry& entry, float low, float high) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::vector<float> values(static_cast<std::size_t>(entry.count));
    for (float& v : values) v = uniform(generator);
    buffer.upload(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
  };
  ParameterStore& p = network.parameters();
  for (const Node& node : network.graph().nodes()) {
    if (!std::holds_alternative<op::BatchNorm>(node.operation)) continue;
    fill(p.values, p.weights.find(node.name + ".weight"), 0.5f, 1.5f);
    fill(p.values, p.weights.find(node.name + ".bias"), -0.3f, 0.3f);
    fill(p.running, p.statistics.find(node.name + ".running_mean"), -0.2f, 0.2f);
    fill(p.running, p.statistics.find(node.name + ".running_var"), 0.3f, 1.2f);
  }
}

NetworkPass run_pass(Network& network, const std::vector<float>& images,
                     const std::vector<std::int32_t>& label, RecordingMode mode, Reduction reduction) {
  const Device& device = network.device();
  const auto batch = static_cast<std::int64_t>(label.size());
  const std::int64_t classes = network.graph().classes();
  const auto rows = label.size();
  const auto floats = [&](std::size_t count) { return Buffer(device, count * sizeof(float)); };
  Buffer x = floats(images.size()), y = floats(rows), dx = floats(images.size());
  Buffer logits = floats(rows * static_cast<std::size_t>(classes)), loss = floats(rows),
         predicted = floats(rows);
  x.upload(images.data(), images.size());
  y.upload(label.data(), label.size());
  ParameterStore& store = network.parameters();
  const std::vector<float> zeros(static_cast<std::size_t>(store.weights.extent()), 0.0f);
  store.gradients.upload(zeros.data(), zeros.size());

  Recorder r(device);
  const Shape shape = network.graph().input_shape().with_batch(batch);
  const Tensor images_in = r.external("images", x.as<void>(), shape);
  const Tensor label_in = r.external("labels", y.as<void>(), {batch, 1, 1, 1}, DType::i32);
  const auto hand_out = [&](const Tensor& from, const Buffer& to) {
    const Tensor out = r.external("out", to.as<void>(), from.shape, from.dtype);
    const PlaneShape planes = r.planes(from);
    r.kernel("copy", r.kernels().affine, [=](Access& at) {
      return Affine{at.in(from), nullptr, nullptr, nullptr, at.out(out), nullptr, planes, Activation::none};
    });
  };
  Recording recording(r, network, batch, mode);
  ForwardTrace trace = recording.forward(images_in);
  const bool gradients = mode.input_gradient || mode.parameter_gradients;
  const LossTensors ce = record_softmax_ce(
      r, trace.logits, label_in, reduction == Reduction::mean ? 1.0f / static_cast<float>(batch) : 1.0f,
      gradients ? LossGradientWanted::yes : LossGradientWanted::no);
  const Tensor dimages = gradients ? recording.backward(trace, ce.dlogits) : Tensor{};
  hand_out(trace.logits, logits);
  hand_out(ce.loss, loss);
  if (dimages) hand_out(dimages, dx);
  const Tensor predicted_out = r.external("predicted", predicted.as<void>(), {batch, 1, 1, 1}, DType::i32);
  // Their bits, whatever they mean: a copy on the device.
  r.kernel("copy", r.kernels().copy_floats,
           [=](Access& at) { return CopyFloats{at.in(ce.predicted), at.out(predicted_out), batch}; });
  Program program = r.finish();
  program.poison();
  program.run();

  NetworkPass pass;
  const auto fetch = [](const Buffer& from, std::vector<float>& to, std::size_t count) {
    to.resize(count);
    from.download(to.data(), count);
  };
  fetch(logits, pass.logits, rows * static_cast<std::size_t>(classes));
  fetch(loss, pass.loss, rows);
  pass.predicted.resize(rows);
  predicted.download(pass.predicted.data(), rows);
  if (mode.input_gradient) fetch(dx, pass.dimages, images.size());
  if (mode.parameter_gradients)
    for (const ParameterEntry& entry : store.weights.entries()) {
      std::vector<float>& values = pass.dweights[entry.name];
      values.resize(static_cast<std::size_t>(entry.count));
      store.gradients.download(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
    }
  return pass;
}

std::vector<float> all_weights(const Network& network) {
  return download(network.parameters().values, network.parameters().weights);
}

std::vector<float> all_statistics(const Network& network) {
  return download(network.parameters().running, network.parameters().statistics);
}

std::vector<float> find_weight(const Network& network, const std::string& name) {
  const ParameterEntry& entry = network.parameters().weights.find(name);
  std::vector<float> values(static_cast<std::size_t>(entry.count));
  network.parameters().values.download(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
  return values;
}

void set_weight(Network& network, const std::string& name, const std::vector<float>& values) {
  const ParameterEntry& entry = network.parameters().weights.find(name);
  REQUIRE(static_cast<std::int64_t>(values.size()) == entry.count);
  network.parameters().values.upload(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
}

std::vector<double> to_doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

double relative_error(const std::vector<float>& actual, const std::vector<double>& expected) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (actual.size() != expected.size()) return kInfinite;
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  if (!std::isfinite(error)) return kInfinite;
  return norm > 0 ? std::sqrt(error / norm) : (error > 0 ? kInfinite : 0);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double root_mean_square(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum / static_cast<double>(x.size()));
}

std::map<std::string, double> gradient_errors(const std::map<std::string, std::vector<float>>& actual,
                                              const std::map<std::string, std::vector<double>>& expected) {
  REQUIRE(actual.size() == expected.size());
  double largest = 0;
  for (const auto& [name, gradient] : expected) largest = std::max(largest, root_mean_square(gradient));
  std::map<std::string, double> errors;
  for (const auto& [name, gradient] : expected) {
    std::vector<double> difference = to_doubles(actual.at(name));
    REQUIRE(difference.size() == gradient.size());
    for (std::size_t i = 0; i < gradient.size(); ++i) difference[i] -= gradient[i];
    errors[name] = root_mean_square(difference) / std::max(root_mean_square(gradient), kSmallShare * largest);
  }
  return errors;
}

std::int64_t count_near_kinks(const Graph& graph, const ReferenceTrace& trace) {
  std::int64_t count = 0;
  for (const Node& node : graph.nodes()) {
    if (node.inputs.empty()) continue;
    const std::vector<double>& x = trace.values[static_cast<std::size_t>(node.inputs[0])];
    const double near = kKinkDistance * root_mean_square(x);
    // A value that is 0 in both has been cut off before: it is no kink.
    if (std::holds_alternative<op::Relu>(node.operation))
      count += std::count_if(x.begin(), x.end(), [&](double v) { return v != 0 && std::abs(v) < near; });
    const auto* pool = std::get_if<op::MaxPool>(&node.operation);
    if (pool == nullptr) continue;
    const Shape in = graph.node(node.inputs[0]).shape;
    const std::int64_t reach_h = pool->window.kernel_h, reach_w = pool->window.kernel_w;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.size()); ++i)
      for (std::int64_t dy = 0; dy < reach_h; ++dy)
        for (std::int64_t dx = dy == 0 ? 1 : 1 - reach_w; dx < reach_w; ++dx) {
          const std::int64_t row = i / in.w % in.h + dy, column = i % in.w + dx;
          if (row >= in.h || column < 0 || column >= in.w) continue;
          const double other = x[static_cast<std::size_t>(i + dy * in.w + dx)],
                       here = x[static_cast<std::size_t>(i)];
          count += other != here && std::abs(other - here) < near ? 1 : 0;
        }
  }
  return count;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}
template bool same_bits(const std::vector<float>&, const std::vector<float>&);
template bool same_bits(const std::vector<double>&, const std::vector<double>&);
template bool same_bits(const std::vector<std::int32_t>&, const std::vector<std::int32_t>&);

}  // namespace inocula::test
