// A network as data: operations on values, in the order in which they can be computed.
//
// models/ writes graphs; the engine turns them into layers, the double-precision reference interprets them.
// Nothing here knows a device.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/backend.h"
#include "engine/shape.h"
#include "kernels/pool.h"

namespace inocula {

namespace op {

/// The images: fp32 in [0, 1], plain (N, C, H, W).
struct Input {};
/// (x - mean[c]) / std[c]: the only normalisation there is; attacks work on the images before it.
struct Normalize {
  std::vector<float> mean, std;  ///< per channel
};
/// torch.nn.Conv2d with zero padding.
struct Conv {
  std::int64_t out_channels = 0;
  ConvWindow window;
  std::int64_t groups = 1;
  bool bias = false;
};
/// torch.nn.BatchNorm2d, affine, with running statistics.
struct BatchNorm {
  float eps = 1e-5f;
  float momentum = 0.1f;
};
struct Relu {};
/// torch.nn.MaxPool2d without ceil mode.
struct MaxPool {
  PoolWindow window;
};
/// torch.nn.AvgPool2d, counting the padding.
struct AveragePool {
  PoolWindow window;
};
/// torch.nn.AdaptiveAvgPool2d(1): (N, C, H, W) -> (N, C, 1, 1).
struct GlobalAveragePool {};
/// torch.nn.Linear on the flattened input (C, H, W order).
struct Linear {
  std::int64_t out_features = 0;
  bool bias = true;
};
/// Sum of two values of one shape.
struct Add {};
/// Values side by side along the channels.
struct Concat {};

}  // namespace op

using Operation = std::variant<op::Input, op::Normalize, op::Conv, op::BatchNorm, op::Relu, op::MaxPool,
                               op::AveragePool, op::GlobalAveragePool, op::Linear, op::Add, op::Concat>;

/// A value is named by the index of the node that makes it.
using Value = std::int32_t;

struct Node {
  std::string name;  ///< prefix of its parameters, as PyTorch has it: "layer1.0.conv1"
  Operation operation;
  std::vector<Value> inputs;  ///< all smaller than the node's own index
  Shape shape;                ///< of its value, batch 1
};

class Graph {
 public:
  /// `input` is (1, channels, height, width).
  explicit Graph(Shape input);

  /// Appends an operation; answers its value. Throws Error (usage) where shapes do not fit, naming the node.
  Value add(std::string name, Operation operation, std::vector<Value> inputs);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(Value v) const { return nodes_[static_cast<std::size_t>(v)]; }
  Shape input_shape() const { return nodes_.front().shape; }
  /// The last node's value: the logits, (1, classes, 1, 1).
  Value output() const { return static_cast<Value>(nodes_.size()) - 1; }
  std::int64_t classes() const { return nodes_.back().shape.c; }

  /// Trained numbers.
  std::int64_t parameter_count() const;
  /// Multiply-adds of convolutions and linear layers for one image, forward.
  double multiply_adds() const;

 private:
  std::vector<Node> nodes_;
};

/// How a value lies in memory: plain from the images on until a convolution puts it into blocks; pooled and
/// linear features are plain again.
Layout layout_of(const Graph& graph, Value v);

/// Geometry of a convolution node for a batch, its activations stored in `element`.
ConvGeometry conv_geometry(const Graph& graph, const Node& node, std::int64_t batch,
                           Element element = Element::f32);

}  // namespace inocula
