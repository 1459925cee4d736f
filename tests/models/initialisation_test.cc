// PyTorch's default initialisation: bounds, moments, and a dependence on the seed alone.
#include <algorithm>
#include <cmath>

#include "models/resnet.h"
#include "models/small_cnn.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

Graph resnet(std::int64_t width) {
  return models::resnet18({.input = {.channels = 3, .height = 16, .width = 16, .mean = {}, .std = {}},
                           .classes = 5,
                           .width = width});
}

struct Moments {
  double mean = 0, variance = 0, low = 0, high = 0;
};

Moments moments_of(const std::vector<float>& values) {
  Moments m;
  const double n = static_cast<double>(values.size());
  for (const float v : values) m.mean += v / n;
  for (const float v : values) m.variance += (v - m.mean) * (v - m.mean) / n;
  m.low = *std::min_element(values.begin(), values.end());
  m.high = *std::max_element(values.begin(), values.end());
  return m;
}

/// Uniform on (-bound, bound): bounds kept and nearly reached, mean 0 and variance bound^2 / 3 within four
/// deviations.
void check_uniform(const std::vector<float>& values, double bound) {
  const Moments m = moments_of(values);
  const double n = static_cast<double>(values.size());
  CHECK(m.low >= -bound);
  CHECK(m.high <= bound);
  CHECK(std::abs(m.mean) <= 4 * bound / std::sqrt(3 * n));
  CHECK(std::abs(m.variance - bound * bound / 3) <= 4 * bound * bound * std::sqrt(4.0 / 45 / n));
  if (values.size() < 200) return;
  CHECK(m.low <= -bound * (1 - 20 / n));
  CHECK(m.high >= bound * (1 - 20 / n));
}

}  // namespace

TEST_CASE("initialisation: weights and biases are uniform within one over the root of the fan-in") {
  Network cnn(models::small_cnn({.input = {.channels = 3, .height = 12, .width = 12, .mean = {}, .std = {}},
                                 .classes = 4,
                                 .width = 24}),
              cpu());
  cnn.initialize(1);
  struct Expected {
    const char* name;
    double fan_in;
  };
  for (const Expected& e : {Expected{"features.0", 27}, Expected{"features.3", 24 * 9},
                            Expected{"features.6", 48 * 9}, Expected{"classifier", 96 * 9}})
    for (const char* part : {".weight", ".bias"}) {
      CAPTURE(e.name);
      CAPTURE(part);
      check_uniform(find_weight(cnn, e.name + std::string(part)), 1 / std::sqrt(e.fan_in));
    }
  Network net(resnet(8), cpu());
  net.initialize(1);
  check_uniform(find_weight(net, "conv1.weight"), 1 / std::sqrt(27.0));
  check_uniform(find_weight(net, "layer2.0.downsample.0.weight"), 1 / std::sqrt(8.0));
  check_uniform(find_weight(net, "layer4.1.conv2.weight"), 1 / std::sqrt(64.0 * 9));
  check_uniform(find_weight(net, "fc.weight"), 1 / std::sqrt(64.0));
}

TEST_CASE("initialisation: grouped convolutions count the inputs of one group") {
  Graph g({1, 6, 8, 8});
  const Value x = g.add("conv", op::Conv{600, {.kernel_h = 3, .kernel_w = 1}, 3, true}, {0});
  g.add("fc", op::Linear{2, true}, {x});
  Network network(g, cpu());
  network.initialize(4);
  check_uniform(find_weight(network, "conv.weight"), 1 / std::sqrt(2.0 * 3));
  check_uniform(find_weight(network, "conv.bias"), 1 / std::sqrt(2.0 * 3));
}

TEST_CASE("initialisation: norms start as identities, also after training has moved them") {
  Network network(resnet(4), cpu());
  const auto check_identity = [&] {
    for (const Node& node : network.graph().nodes()) {
      if (!std::holds_alternative<op::BatchNorm>(node.operation)) continue;
      const auto all = [](const std::vector<float>& values, float expected) {
        return std::all_of(values.begin(), values.end(), [&](float v) { return v == expected; });
      };
      CHECK(all(find_weight(network, node.name + ".weight"), 1));
      CHECK(all(find_weight(network, node.name + ".bias"), 0));
      const Reference reference(network);
      Reference copy = reference;
      for (const double v : copy.statistics().at(node.name + ".running_mean")) CHECK(v == 0);
      for (const double v : copy.statistics().at(node.name + ".running_var")) CHECK(v == 1);
    }
    CHECK(network.parameters().batches_tracked == 0);
  };
  check_identity();
  randomize(network, 1);
  network.parameters().batches_tracked = 5;
  network.initialize(2);
  check_identity();
}

TEST_CASE(
    "initialisation: the same seed gives the same bits, another one others, arrays differ among each other") {
  Network a(resnet(4), cpu()), b(resnet(4), cpu_of_two_threads());
  a.initialize(9);
  b.initialize(9);
  CHECK(same_bits(all_weights(a), all_weights(b)));
  b.initialize(10);
  CHECK(!same_bits(all_weights(a), all_weights(b)));
  b.initialize(9 + (std::uint64_t{1} << 40));  // all 64 bits of the seed count
  CHECK(!same_bits(all_weights(a), all_weights(b)));
  CHECK(find_weight(a, "layer1.0.conv1.weight") != find_weight(a, "layer1.0.conv2.weight"));
  // A network of the same layers and other names is drawn alike: what counts is the place, not the spelling.
  b.initialize(9);
  CHECK(find_weight(a, "fc.weight") == find_weight(b, "fc.weight"));
}

TEST_CASE("initialisation: the gaps between parameters are zero") {
  Network network(resnet(3), cpu());
  network.initialize(1);
  std::vector<float> weights = all_weights(network);
  for (const ParameterEntry& e : network.parameters().weights.entries()) {
    CHECK(e.offset % 16 == 0);
    std::fill_n(weights.begin() + e.offset, e.count, 0.0f);
  }
  CHECK(std::all_of(weights.begin(), weights.end(), [](float v) { return v == 0; }));
}

}  // namespace inocula::test
