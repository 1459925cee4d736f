// ResNet-18 as data.
#include "models/resnet.h"

#include <string>

#include "engine/error.h"

namespace inocula::models {

namespace {

ConvWindow window(std::int64_t kernel, std::int64_t stride) {
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_h = kernel / 2,
          .pad_w = kernel / 2};
}

op::Conv conv(std::int64_t channels, std::int64_t kernel, std::int64_t stride) {
  return {.out_channels = channels, .window = window(kernel, stride), .groups = 1, .bias = false};
}

/// Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where shapes change.
Value basic_block(Graph& g, Value x, const std::string& name, std::int64_t channels, std::int64_t stride) {
  Value h = g.add(name + ".conv1", conv(channels, 3, stride), {x});
  h = g.add(name + ".bn1", op::BatchNorm{}, {h});
  h = g.add(name + ".relu1", op::Relu{}, {h});
  Value shortcut = x;
  if (stride != 1 || g.node(x).shape.c != channels) {
    shortcut = g.add(name + ".downsample.0", conv(channels, 1, stride), {x});
    shortcut = g.add(name + ".downsample.1", op::BatchNorm{}, {shortcut});
  }
  h = g.add(name + ".conv2", conv(channels, 3, 1), {h});
  h = g.add(name + ".bn2", op::BatchNorm{}, {h});
  h = g.add(name + ".add", op::Add{}, {h, shortcut});
  return g.add(name + ".relu2", op::Relu{}, {h});
}

}  // namespace

Graph resnet18(const ResNet18Spec& spec) {
  if (spec.classes < 2)
    fail(ErrorKind::usage, "resnet18: classes is ", spec.classes, ", expected at least 2");
  if (spec.width < 1 || spec.width > kMostWidth)
    fail(ErrorKind::usage, "resnet18: width is ", spec.width, ", expected 1 to ", kMostWidth);
  Graph g = start_graph(spec.input);
  const bool small = spec.stem == Stem::cifar;
  Value x = g.add("conv1", small ? conv(spec.width, 3, 1) : conv(spec.width, 7, 2), {g.output()});
  x = g.add("bn1", op::BatchNorm{}, {x});
  x = g.add("relu", op::Relu{}, {x});
  if (!small)
    x = g.add(
        "maxpool",
        op::MaxPool{{.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}},
        {x});
  for (int stage = 1; stage <= 4; ++stage) {
    const std::int64_t channels = spec.width << (stage - 1);
    const std::string name = "layer" + std::to_string(stage);
    x = basic_block(g, x, name + ".0", channels, stage == 1 ? 1 : 2);
    x = basic_block(g, x, name + ".1", channels, 1);
  }
  x = g.add("avgpool", op::GlobalAveragePool{}, {x});
  g.add("fc", op::Linear{spec.classes, true}, {x});
  return g;
}

}  // namespace inocula::models
