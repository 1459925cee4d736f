// Building the test networks.
#include "tests/engine/graphs.h"

#include <algorithm>

#include "models/resnet.h"
#include "models/small_cnn.h"

namespace inocula::test {

namespace {

models::InputSpec input_of(const Shape& image) {
  models::InputSpec input{.channels = image.c, .height = image.h, .width = image.w, .mean = {}, .std = {}};
  for (std::int64_t c = 0; c < image.c; ++c) {
    input.mean.push_back(0.4f + 0.05f * static_cast<float>(c));
    input.std.push_back(0.3f + 0.1f * static_cast<float>(c));
  }
  return input;
}

/// Adds nodes to a graph by turns; `at` is the value that the next one reads.
struct Builder {
  Graph graph;
  Value at = 0;
  int count = 0;

  explicit Builder(const Shape& image) : graph(image) {}

  std::string name(const char* kind) { return kind + std::to_string(count++); }
  Value add(const char* kind, Operation operation, std::vector<Value> inputs) {
    return at = graph.add(name(kind), std::move(operation), std::move(inputs));
  }
  Value normalize() {
    const models::InputSpec input = input_of(graph.input_shape());
    return add("normalize", op::Normalize{input.mean, input.std}, {at});
  }
  Value conv(std::int64_t channels, const ConvWindow& window, std::int64_t groups = 1, bool bias = false) {
    return add("conv", op::Conv{channels, window, groups, bias}, {at});
  }
  Value conv3(std::int64_t channels) {
    return conv(channels, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1});
  }
  Value conv1(std::int64_t channels) { return conv(channels, {}); }
  Value norm() { return add("norm", op::BatchNorm{}, {at}); }
  Value relu() { return add("relu", op::Relu{}, {at}); }
  Value join(Value a, Value b) { return add("add", op::Add{}, {a, b}); }
  Value concat(std::vector<Value> parts) { return add("concat", op::Concat{}, std::move(parts)); }
  Graph finish(std::int64_t classes) {
    add("pool", op::GlobalAveragePool{}, {at});
    add("fc", op::Linear{classes, true}, {at});
    return std::move(graph);
  }
};

Graph dense_net() {
  Builder b({1, 3, 10, 9});
  b.normalize();
  b.conv3(9);
  for (int block = 0; block < 2; ++block) {
    for (int layer = 0; layer < 2; ++layer) {
      const Value before = b.at;
      b.norm();  // pre-activation: norm and ReLU come before their convolution
      b.relu();
      b.conv3(5);
      b.concat({before, b.at});
    }
    b.norm();
    b.relu();
    b.conv1(7);
    if (block == 0)
      b.add("pool", op::AveragePool{{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}}, {b.at});
  }
  b.norm();
  b.relu();
  return b.finish(4);
}

Graph odd_convolutions() {
  Builder b({1, 2, 13, 11});
  b.normalize();
  b.conv(12, {.kernel_h = 5, .kernel_w = 3, .stride_h = 2, .stride_w = 1, .pad_h = 2, .pad_w = 0}, 1, true);
  b.relu();
  b.conv(18, {.kernel_h = 3, .kernel_w = 3, .pad_h = 2, .pad_w = 2, .dilation_h = 2, .dilation_w = 2}, 2,
         true);
  b.relu();
  b.conv(18, {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}, 18);
  b.norm();
  b.relu();
  b.conv(17, {.kernel_h = 1, .kernel_w = 2}, 1, true);
  b.norm();
  b.relu();
  return b.finish(3);
}

Graph depthwise() {
  Builder b({1, 3, 12, 12});
  b.normalize();
  b.conv3(32);
  b.norm();
  b.relu();
  b.conv(32, {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}, 32);
  b.norm();
  b.relu();
  b.conv1(5);
  b.norm();
  b.relu();
  return b.finish(2);
}

Graph grouped() {
  Builder b({1, 1, 8, 8});
  b.conv3(32);  // reads the images themselves: no normalisation
  b.relu();
  b.conv(64, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}, 2, false);
  b.norm();
  b.relu();
  b.conv(16, {.kernel_h = 3, .kernel_w = 3, .dilation_h = 2, .dilation_w = 3}, 4, true);
  b.relu();
  return b.finish(5);
}

Graph pools() {
  Builder b({1, 3, 15, 14});
  b.normalize();
  b.conv3(17);
  b.relu();
  b.add("max",
        op::MaxPool{{.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}},
        {b.at});
  b.conv3(5);
  b.add("average",
        op::AveragePool{{.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 1}},
        {b.at});
  b.norm();
  b.relu();
  b.add("max", op::MaxPool{{.kernel_h = 2, .kernel_w = 3, .stride_h = 1, .stride_w = 2}}, {b.at});
  b.add("fc", op::Linear{6, false}, {b.at});
  return std::move(b.graph);
}

/// Every operation that may stand before the first convolution, on images of three channels.
Graph before_convolution() {
  Builder b({1, 3, 9, 10});
  b.normalize();
  b.norm();
  b.relu();
  const Value kept = b.at;
  b.add("average", op::AveragePool{{.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}}, {b.at});
  b.join(kept, b.at);
  b.add("max", op::MaxPool{{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}}, {b.at});
  b.concat({b.at, b.at});
  b.conv3(8);
  b.norm();
  b.relu();
  return b.finish(3);
}

/// Convolutions on pooled, plain features, with few and with many channels.
Graph after_pooling() {
  Builder b({1, 2, 7, 7});
  b.normalize();
  b.conv3(20);
  b.relu();
  const Value features = b.at;
  b.add("pool", op::GlobalAveragePool{}, {features});
  const Value pooled = b.at;
  b.conv1(6);
  b.relu();
  b.conv1(3);
  b.add("pool", op::GlobalAveragePool{}, {b.at});
  b.conv1(20);
  b.add("pool", op::GlobalAveragePool{}, {b.at});
  b.join(pooled, b.at);
  b.relu();
  b.add("fc", op::Linear{9, true}, {b.at});
  b.relu();
  b.add("fc", op::Linear{4, false}, {b.at});
  return std::move(b.graph);
}

/// Sums of all kinds: one value twice, three readers, the residual on either side, ReLU or none behind.
Graph meetings() {
  Builder b({1, 3, 8, 9});
  b.normalize();
  const Value images = b.at;
  b.conv3(16);
  b.join(b.at, b.at);
  b.relu();
  const Value x = b.at;
  b.conv3(16);
  b.norm();
  const Value left = b.at;
  b.at = x;
  b.conv3(16);
  const Value right = b.at;
  b.join(right, left);  // the later branch is the second operand's
  const Value sum = b.at;
  b.relu();
  b.conv3(16);
  b.join(x, b.at);
  b.norm();
  b.join(b.at, sum);
  b.relu();
  const Value y = b.at;
  b.at = images;
  b.conv1(16);
  b.relu();
  b.join(b.at, y);
  b.conv(5, {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2}, 1, true);
  b.norm();
  return b.finish(4);
}

Graph perceptron() {
  Builder b({1, 5, 6, 4});
  b.normalize();
  b.add("fc", op::Linear{33, true}, {b.at});
  b.relu();
  const Value x = b.at;
  b.add("fc", op::Linear{33, false}, {b.at});
  b.norm();
  b.join(x, b.at);
  b.relu();
  b.add("fc", op::Linear{2, true}, {b.at});
  return std::move(b.graph);
}

Graph many_image_channels() {
  Builder b({1, 6, 9, 9});
  b.normalize();
  b.conv(11, {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}, 1, true);
  const Value x = b.at;
  b.relu();
  b.conv(11, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}, 1, true);
  b.join(b.at, x);
  b.relu();
  return b.finish(2);
}

Graph grouped_images() {
  Builder b({1, 4, 8, 8});
  b.normalize();
  b.conv(8, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}, 2, false);
  b.norm();
  b.relu();
  return b.finish(3);
}

bool has_norm(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [](const Node& node) { return std::holds_alternative<op::BatchNorm>(node.operation); });
}

}  // namespace

Graph small_resnet(const Shape& image, std::int64_t width, std::int64_t classes) {
  return models::resnet18(
      {.input = input_of(image), .classes = classes, .width = width, .stem = models::Stem::cifar});
}

Graph tiny_graph(const Shape& image, std::int64_t channels, std::int64_t classes) {
  Builder b(image);
  b.normalize();
  b.conv(channels, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}, 1, true);
  b.relu();
  b.add("fc", op::Linear{classes, true}, {b.at});
  return std::move(b.graph);
}

std::vector<GraphCase> graph_cases() {
  std::vector<GraphCase> cases;
  cases.push_back({"resnet18, width 8, 1 x 12 x 12", small_resnet({1, 1, 12, 12}, 8, 2)});
  cases.push_back({"resnet18, width 16, 3 x 11 x 9", small_resnet({1, 3, 11, 9}, 16, 5), 2});
  cases.push_back({"resnet18, width 5, 3 x 9 x 8", small_resnet({1, 3, 9, 8}, 5, 3)});
  cases.push_back(
      {"resnet18, width 8, ImageNet's stem, 3 x 37 x 33",
       models::resnet18(
           {.input = input_of({1, 3, 37, 33}), .classes = 3, .width = 8, .stem = models::Stem::imagenet}),
       2});
  cases.push_back({"small_cnn, width 4",
                   models::small_cnn({.input = input_of({1, 1, 13, 10}), .classes = 3, .width = 4})});
  cases.push_back({"small_cnn, width 17",
                   models::small_cnn({.input = input_of({1, 3, 9, 9}), .classes = 2, .width = 17})});
  cases.push_back({"dense blocks", dense_net()});
  cases.push_back({"odd convolutions", odd_convolutions()});
  cases.push_back({"depthwise", depthwise()});
  cases.push_back({"groups", grouped()});
  cases.push_back({"pools", pools()});
  cases.push_back({"operations before the first convolution", before_convolution()});
  cases.push_back({"convolutions after pooling", after_pooling()});
  cases.push_back({"sums of all kinds", meetings()});
  cases.push_back({"perceptron", perceptron(), 5});
  cases.push_back({"six image channels", many_image_channels()});
  cases.push_back({"a grouped convolution of the images", grouped_images()});
  return cases;
}

std::vector<GraphCase> graph_cases(Norms norms) {
  std::vector<GraphCase> chosen;
  for (GraphCase& c : graph_cases())
    if (has_norm(c.graph) == (norms == Norms::with)) chosen.push_back(std::move(c));
  return chosen;
}

}  // namespace inocula::test
