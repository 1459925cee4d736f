// Parameters by PyTorch's names and shapes, counts, and costs of the models.
#include <map>
#include <string>
#include <vector>

#include "models/resnet.h"
#include "models/small_cnn.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using models::InputSpec;
using models::Stem;

InputSpec input(std::int64_t channels, std::int64_t size) {
  return {.channels = channels, .height = size, .width = size, .mean = {}, .std = {}};
}

Graph resnet(std::int64_t channels, std::int64_t size, std::int64_t classes, std::int64_t width, Stem stem) {
  return models::resnet18({.input = input(channels, size), .classes = classes, .width = width, .stem = stem});
}

using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

Shapes shapes_of(const ParameterLayout& layout) {
  Shapes list;
  for (const ParameterEntry& e : layout.entries()) list.emplace_back(e.name, e.shape);
  return list;
}

}  // namespace

TEST_CASE("resnet18: parameters are torchvision's, by name, shape and order") {
  const Network network(resnet(3, 64, 1000, 64, Stem::imagenet), cpu());
  // torchvision.models.resnet18().named_parameters() and named_buffers() without num_batches_tracked.
  const Shapes weights = {
      {"conv1.weight", {64, 3, 7, 7}},
      {"bn1.weight", {64}},
      {"bn1.bias", {64}},
      {"layer1.0.conv1.weight", {64, 64, 3, 3}},
      {"layer1.0.bn1.weight", {64}},
      {"layer1.0.bn1.bias", {64}},
      {"layer1.0.conv2.weight", {64, 64, 3, 3}},
      {"layer1.0.bn2.weight", {64}},
      {"layer1.0.bn2.bias", {64}},
      {"layer1.1.conv1.weight", {64, 64, 3, 3}},
      {"layer1.1.bn1.weight", {64}},
      {"layer1.1.bn1.bias", {64}},
      {"layer1.1.conv2.weight", {64, 64, 3, 3}},
      {"layer1.1.bn2.weight", {64}},
      {"layer1.1.bn2.bias", {64}},
      {"layer2.0.conv1.weight", {128, 64, 3, 3}},
      {"layer2.0.bn1.weight", {128}},
      {"layer2.0.bn1.bias", {128}},
      {"layer2.0.conv2.weight", {128, 128, 3, 3}},
      {"layer2.0.bn2.weight", {128}},
      {"layer2.0.bn2.bias", {128}},
      {"layer2.0.downsample.0.weight", {128, 64, 1, 1}},
      {"layer2.0.downsample.1.weight", {128}},
      {"layer2.0.downsample.1.bias", {128}},
      {"layer2.1.conv1.weight", {128, 128, 3, 3}},
      {"layer2.1.bn1.weight", {128}},
      {"layer2.1.bn1.bias", {128}},
      {"layer2.1.conv2.weight", {128, 128, 3, 3}},
      {"layer2.1.bn2.weight", {128}},
      {"layer2.1.bn2.bias", {128}},
      {"layer3.0.conv1.weight", {256, 128, 3, 3}},
      {"layer3.0.bn1.weight", {256}},
      {"layer3.0.bn1.bias", {256}},
      {"layer3.0.conv2.weight", {256, 256, 3, 3}},
      {"layer3.0.bn2.weight", {256}},
      {"layer3.0.bn2.bias", {256}},
      {"layer3.0.downsample.0.weight", {256, 128, 1, 1}},
      {"layer3.0.downsample.1.weight", {256}},
      {"layer3.0.downsample.1.bias", {256}},
      {"layer3.1.conv1.weight", {256, 256, 3, 3}},
      {"layer3.1.bn1.weight", {256}},
      {"layer3.1.bn1.bias", {256}},
      {"layer3.1.conv2.weight", {256, 256, 3, 3}},
      {"layer3.1.bn2.weight", {256}},
      {"layer3.1.bn2.bias", {256}},
      {"layer4.0.conv1.weight", {512, 256, 3, 3}},
      {"layer4.0.bn1.weight", {512}},
      {"layer4.0.bn1.bias", {512}},
      {"layer4.0.conv2.weight", {512, 512, 3, 3}},
      {"layer4.0.bn2.weight", {512}},
      {"layer4.0.bn2.bias", {512}},
      {"layer4.0.downsample.0.weight", {512, 256, 1, 1}},
      {"layer4.0.downsample.1.weight", {512}},
      {"layer4.0.downsample.1.bias", {512}},
      {"layer4.1.conv1.weight", {512, 512, 3, 3}},
      {"layer4.1.bn1.weight", {512}},
      {"layer4.1.bn1.bias", {512}},
      {"layer4.1.conv2.weight", {512, 512, 3, 3}},
      {"layer4.1.bn2.weight", {512}},
      {"layer4.1.bn2.bias", {512}},
      {"fc.weight", {1000, 512}},
      {"fc.bias", {1000}},
  };
  std::map<std::string, std::vector<std::int64_t>> expected(weights.begin(), weights.end()), actual;
  for (const auto& [name, shape] : shapes_of(network.parameters().weights)) actual[name] = shape;
  CHECK(actual.size() == 62);
  for (const auto& [name, shape] : expected) {
    CAPTURE(name);
    REQUIRE(actual.count(name) == 1);
    CHECK(actual.at(name) == shape);
  }
  CHECK(actual.size() == expected.size());

  // Each norm's statistics, as long as its weights.
  std::size_t statistics = 0;
  for (const auto& [name, shape] : weights) {
    const std::size_t dot = name.rfind('.');
    const std::string owner = name.substr(0, dot);
    const bool norm = name.substr(dot) == ".weight" && shape.size() == 1;
    if (!norm) continue;
    for (const char* part : {".running_mean", ".running_var"}) {
      CAPTURE(owner);
      CHECK(network.parameters().statistics.find(owner + part).shape == shape);
      statistics += 1;
    }
  }
  CHECK(network.parameters().statistics.entries().size() == statistics);
  CHECK(statistics == 40);
  CHECK(network.graph().parameter_count() == 11689512);  // torchvision's own count
}

TEST_CASE("resnet18: counts of parameters and multiply-adds") {
  CHECK(resnet(1, 28, 2, 64, Stem::cifar).parameter_count() == 11168706);
  CHECK(resnet(3, 28, 10, 64, Stem::cifar).parameter_count() == 11173962);
  CHECK(resnet(3, 28, 1000, 64, Stem::imagenet).parameter_count() == 11689512);
  const double grey = resnet(1, 28, 2, 64, Stem::cifar).multiply_adds();
  // The stem, then stages at 28, 14, 7 and 4 pixels a side: 7 halves to 4, since 3 x 3 windows of stride 2
  // are padded.
  const auto stage = [](double channels, double pixels) {
    const double full = channels * channels * 9 * pixels;
    return channels == 64 ? 4 * full : full / 2 + 3 * full + channels * channels / 2 * pixels;
  };
  CHECK(grey == 64 * 9 * 784 + stage(64, 784) + stage(128, 196) + stage(256, 49) + stage(512, 16) + 2 * 512);
  CHECK(grey == doctest::Approx(0.456e9).epsilon(0.001));
  // ImageNet's: 1.8 GMAC at 224.
  const double imagenet = resnet(3, 224, 1000, 64, Stem::imagenet).multiply_adds();
  CHECK(imagenet == doctest::Approx(1.814e9).epsilon(0.01));
  for (const std::int64_t width : {1, 3, 16}) {
    const Graph g = resnet(3, 28, 4, width, Stem::cifar);
    CHECK(Network(g, cpu()).parameters().weights.count() == g.parameter_count());
  }
}

TEST_CASE("resnet18: shapes of its stages, with either stem and odd sizes") {
  const auto stage_shapes = [](const Graph& g) {
    std::vector<Shape> shapes;
    for (const Node& node : g.nodes())
      if (node.name.size() == 14 && node.name.substr(6) == ".1.relu2") shapes.push_back(node.shape);
    return shapes;
  };
  CHECK(stage_shapes(resnet(1, 28, 2, 8, Stem::cifar)) ==
        std::vector<Shape>{{1, 8, 28, 28}, {1, 16, 14, 14}, {1, 32, 7, 7}, {1, 64, 4, 4}});
  CHECK(stage_shapes(resnet(3, 224, 2, 64, Stem::imagenet)) ==
        std::vector<Shape>{{1, 64, 56, 56}, {1, 128, 28, 28}, {1, 256, 14, 14}, {1, 512, 7, 7}});
  CHECK(stage_shapes(resnet(1, 1, 2, 8, Stem::cifar)).back() == Shape{1, 64, 1, 1});
  CHECK(stage_shapes(resnet(1, 33, 2, 8, Stem::imagenet)).front() == Shape{1, 8, 9, 9});
  const Graph g = resnet(1, 28, 7, 8, Stem::cifar);
  CHECK(g.nodes().back().shape == Shape{1, 7, 1, 1});
}

TEST_CASE("small_cnn: parameters as a Sequential of the same layers names them") {
  const Network network(models::small_cnn({.input = input(3, 20), .classes = 5, .width = 6}), cpu());
  CHECK(shapes_of(network.parameters().weights) == Shapes{{"features.0.weight", {6, 3, 3, 3}},
                                                          {"features.0.bias", {6}},
                                                          {"features.3.weight", {12, 6, 3, 3}},
                                                          {"features.3.bias", {12}},
                                                          {"features.6.weight", {24, 12, 3, 3}},
                                                          {"features.6.bias", {24}},
                                                          {"classifier.weight", {5, 24 * 5 * 5}},
                                                          {"classifier.bias", {5}}});
  CHECK(network.parameters().statistics.entries().empty());
  const Graph g = models::small_cnn({.input = input(1, 28), .classes = 2, .width = 16});
  CHECK(g.parameter_count() == 16 * 9 + 16 + 32 * 16 * 9 + 32 + 64 * 32 * 9 + 64 + 2 * (64 * 49) + 2);
  CHECK(g.multiply_adds() == 16.0 * 9 * 784 + 32.0 * 16 * 9 * 196 + 64.0 * 32 * 9 * 49 + 2.0 * 64 * 49);
}

TEST_CASE("models: the normalisation is the first node, 0.5 and 0.5 unless said otherwise") {
  const Graph plain = resnet(3, 28, 2, 8, Stem::cifar);
  const auto& half = std::get<op::Normalize>(plain.node(1).operation);
  CHECK(half.mean == std::vector<float>{0.5f, 0.5f, 0.5f});
  CHECK(half.std == std::vector<float>{0.5f, 0.5f, 0.5f});
  InputSpec own = input(2, 9);
  own.mean = {0.1f, 0.2f};
  own.std = {0.3f, 0.4f};
  const Graph g = models::small_cnn({.input = own, .classes = 2, .width = 4});
  CHECK(std::get<op::Normalize>(g.node(1).operation).mean == own.mean);
  CHECK(std::get<op::Normalize>(g.node(1).operation).std == own.std);
}

TEST_CASE("models: what cannot be is refused") {
  check_throws(ErrorKind::usage, "resnet18: classes is 1, expected at least 2",
               [] { resnet(1, 28, 1, 8, Stem::cifar); });
  check_throws(ErrorKind::usage, "resnet18: width is 0", [] { resnet(1, 28, 2, 0, Stem::cifar); });
  check_throws(ErrorKind::usage, "small_cnn: classes is 0",
               [] { models::small_cnn({.input = input(1, 28), .classes = 0, .width = 4}); });
  check_throws(ErrorKind::usage, "small_cnn: width is -3",
               [] { models::small_cnn({.input = input(1, 28), .classes = 2, .width = -3}); });
  check_throws(ErrorKind::usage, "model input is 0 x 28 x 28", [] { resnet(0, 28, 2, 8, Stem::cifar); });
  check_throws(ErrorKind::usage, "model input is 1 x -1 x -1", [] { resnet(1, -1, 2, 8, Stem::cifar); });
  check_throws(ErrorKind::usage, "leaves nothing",
               [] { models::small_cnn({.input = input(1, 3), .classes = 2, .width = 4}); });
  InputSpec wrong = input(3, 28);
  wrong.mean = {0.5f};
  wrong.std = {0.5f};
  check_throws(ErrorKind::usage, "expected one for each of 3 channels",
               [&] { models::resnet18({.input = wrong, .classes = 2, .width = 8}); });
}

}  // namespace inocula::test
