// Shapes are argued here, once.
#include "engine/graph.h"

#include "engine/error.h"

namespace inocula {

namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::int64_t slide(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                   std::int64_t dilation) {
  const std::int64_t reach = dilation * (kernel - 1) + 1;
  if (in + 2 * pad < reach) return 0;
  return (in + 2 * pad - reach) / stride + 1;
}

Shape pooled(const Shape& in, const PoolWindow& w) {
  return {in.n, in.c, slide(in.h, w.kernel_h, w.stride_h, w.pad_h, 1),
          slide(in.w, w.kernel_w, w.stride_w, w.pad_w, 1)};
}

struct Infer {
  const std::string& name;
  const std::vector<Shape>& in;

  void want_inputs(std::size_t count) const {
    if (in.size() != count)
      fail(ErrorKind::usage, "node '", name, "': has ", in.size(), " inputs, expected ", count);
  }
  Shape same() const {
    want_inputs(1);
    return in[0];
  }
  template <class Window>
  void want_window(const Window& w) const {
    if (w.kernel_h < 1 || w.kernel_w < 1 || w.stride_h < 1 || w.stride_w < 1 || w.pad_h < 0 || w.pad_w < 0)
      fail(ErrorKind::usage, "node '", name, "': kernel ", w.kernel_h, " x ", w.kernel_w, ", stride ",
           w.stride_h, " x ", w.stride_w, ", padding ", w.pad_h, " x ", w.pad_w,
           ", expected at least 1, 1 and 0");
  }
  /// As in PyTorch: then every window holds a cell of the image.
  void want_pool(const PoolWindow& w) const {
    want_window(w);
    if (2 * w.pad_h > w.kernel_h || 2 * w.pad_w > w.kernel_w)
      fail(ErrorKind::usage, "node '", name, "': padding ", w.pad_h, " x ", w.pad_w,
           ", expected at most half the kernel of ", w.kernel_h, " x ", w.kernel_w);
  }

  Shape operator()(const op::Input&) const {
    fail(ErrorKind::usage, "node '", name, "': a graph has one input");
  }
  Shape operator()(const op::Normalize& o) const {
    want_inputs(1);
    if (static_cast<std::int64_t>(o.mean.size()) != in[0].c || o.std.size() != o.mean.size())
      fail(ErrorKind::usage, "node '", name, "': mean and std have ", o.mean.size(), " and ", o.std.size(),
           " entries, expected one for each of ", in[0].c, " channels");
    for (const float s : o.std)
      if (!(s > 0)) fail(ErrorKind::usage, "node '", name, "': std is ", s, ", expected a positive number");
    return in[0];
  }
  Shape operator()(const op::Conv& o) const {
    want_inputs(1);
    const ConvWindow& w = o.window;
    want_window(w);
    if (w.dilation_h < 1 || w.dilation_w < 1)
      fail(ErrorKind::usage, "node '", name, "': dilation ", w.dilation_h, " x ", w.dilation_w,
           ", expected at least 1");
    if (o.groups < 1 || in[0].c % o.groups != 0 || o.out_channels < 1 || o.out_channels % o.groups != 0)
      fail(ErrorKind::usage, "node '", name, "': ", o.groups, " groups do not divide ", in[0].c,
           " input and ", o.out_channels, " output channels");
    return {in[0].n, o.out_channels, slide(in[0].h, w.kernel_h, w.stride_h, w.pad_h, w.dilation_h),
            slide(in[0].w, w.kernel_w, w.stride_w, w.pad_w, w.dilation_w)};
  }
  Shape operator()(const op::BatchNorm&) const { return same(); }
  Shape operator()(const op::Relu&) const { return same(); }
  Shape operator()(const op::MaxPool& o) const {
    want_inputs(1);
    want_pool(o.window);
    if (o.window.kernel_h * o.window.kernel_w > 256)
      fail(ErrorKind::usage, "node '", name, "': a pooling window has at most 256 cells");
    return pooled(in[0], o.window);
  }
  Shape operator()(const op::AveragePool& o) const {
    want_inputs(1);
    want_pool(o.window);
    return pooled(in[0], o.window);
  }
  Shape operator()(const op::GlobalAveragePool&) const {
    want_inputs(1);
    return {in[0].n, in[0].c, 1, 1};
  }
  Shape operator()(const op::Linear& o) const {
    want_inputs(1);
    return {in[0].n, o.out_features, 1, 1};
  }
  Shape operator()(const op::Add&) const {
    want_inputs(2);
    if (!(in[0] == in[1]))
      fail(ErrorKind::usage, "node '", name, "': cannot add ", in[0].to_string(), " and ", in[1].to_string());
    return in[0];
  }
  Shape operator()(const op::Concat&) const {
    if (in.empty()) fail(ErrorKind::usage, "node '", name, "': nothing to concatenate");
    Shape out = in[0];
    for (std::size_t i = 1; i < in.size(); ++i) {
      if (in[i].h != out.h || in[i].w != out.w)
        fail(ErrorKind::usage, "node '", name, "': cannot put ", in[i].to_string(), " beside ",
             in[0].to_string());
      out.c += in[i].c;
    }
    return out;
  }
};

}  // namespace

Graph::Graph(Shape input) {
  nodes_.push_back({"input", op::Input{}, {}, input.with_batch(1)});
}

Value Graph::add(std::string name, Operation operation, std::vector<Value> inputs) {
  std::vector<Shape> shapes;
  for (const Value v : inputs) {
    if (v < 0 || v >= static_cast<Value>(nodes_.size()))
      fail(ErrorKind::usage, "node '", name, "': input ", v, " does not exist");
    shapes.push_back(node(v).shape);
  }
  const Shape shape = std::visit(Infer{name, shapes}, operation);
  if (shape.c < 1 || shape.h < 1 || shape.w < 1)
    fail(ErrorKind::usage, "node '", name, "': an input of ", shapes.front().to_string(),
         " leaves nothing of it: ", shape.to_string());
  nodes_.push_back({std::move(name), std::move(operation), std::move(inputs), shape});
  return output();
}

std::int64_t Graph::parameter_count() const {
  std::int64_t count = 0;
  for (const Node& n : nodes_)
    count += std::visit(Overloaded{[&](const op::Conv& o) {
                                     return o.out_channels * (node(n.inputs[0]).shape.c / o.groups) *
                                                o.window.kernel_h * o.window.kernel_w +
                                            (o.bias ? o.out_channels : 0);
                                   },
                                   [&](const op::BatchNorm&) { return 2 * n.shape.c; },
                                   [&](const op::Linear& o) {
                                     return o.out_features *
                                            (node(n.inputs[0]).shape.per_sample() + (o.bias ? 1 : 0));
                                   },
                                   [](const auto&) { return std::int64_t{0}; }},
                        n.operation);
  return count;
}

double Graph::multiply_adds() const {
  double sum = 0;
  for (const Node& n : nodes_) {
    if (std::holds_alternative<op::Conv>(n.operation)) sum += conv_geometry(*this, n, 1).multiply_adds();
    if (const auto* linear = std::get_if<op::Linear>(&n.operation))
      sum += static_cast<double>(linear->out_features * node(n.inputs[0]).shape.per_sample());
  }
  return sum;
}

Layout layout_of(const Graph& graph, Value v) {
  return std::visit(Overloaded{[](const op::Input&) { return Layout::plain; },
                               [](const op::GlobalAveragePool&) { return Layout::plain; },
                               [](const op::Linear&) { return Layout::plain; },
                               [](const op::Conv&) { return Layout::blocked; },
                               [&](const auto&) { return layout_of(graph, graph.node(v).inputs[0]); }},
                    graph.node(v).operation);
}

ConvGeometry conv_geometry(const Graph& graph, const Node& node, std::int64_t batch, Element element) {
  const auto& conv = std::get<op::Conv>(node.operation);
  const Shape in = graph.node(node.inputs[0]).shape;
  return {in.with_batch(batch), node.shape.with_batch(batch),     conv.window,
          conv.groups,          layout_of(graph, node.inputs[0]), element};
}

}  // namespace inocula
