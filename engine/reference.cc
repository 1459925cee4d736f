// The reference's passes: one loop nest an operation, forward and backward side by side.
#include "engine/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"

namespace inocula {

namespace {

using Doubles = std::vector<double>;
using Index = std::int64_t;

Index flat(const Shape& s, Index n, Index c, Index y, Index x) {
  return ((n * s.c + c) * s.h + y) * s.w + x;
}

/// Calls f(output, input, weight), flat indices, for every product that a convolution sums up.
template <class F>
void each_product(const ConvGeometry& g, F f) {
  const ConvWindow& w = g.window;
  const Index in_group = g.in.c / g.groups, out_group = g.out.c / g.groups;
  for (Index n = 0; n < g.out.n; ++n)
    for (Index o = 0; o < g.out.c; ++o)
      for (Index y = 0; y < g.out.h; ++y)
        for (Index x = 0; x < g.out.w; ++x)
          for (Index c = 0; c < in_group; ++c)
            for (Index kh = 0; kh < w.kernel_h; ++kh)
              for (Index kw = 0; kw < w.kernel_w; ++kw) {
                const Index iy = y * w.stride_h - w.pad_h + kh * w.dilation_h;
                const Index ix = x * w.stride_w - w.pad_w + kw * w.dilation_w;
                if (iy < 0 || iy >= g.in.h || ix < 0 || ix >= g.in.w) continue;
                f(flat(g.out, n, o, y, x), flat(g.in, n, o / out_group * in_group + c, iy, ix),
                  ((o * in_group + c) * w.kernel_h + kh) * w.kernel_w + kw);
              }
}

/// Calls f(output, input) for every cell of every pooling window that is not padding, row-major in the
/// window.
template <class F>
void each_cell(const Shape& in, const Shape& out, const PoolWindow& w, F f) {
  for (Index n = 0; n < out.n; ++n)
    for (Index c = 0; c < out.c; ++c)
      for (Index y = 0; y < out.h; ++y)
        for (Index x = 0; x < out.w; ++x)
          for (Index kh = 0; kh < w.kernel_h; ++kh)
            for (Index kw = 0; kw < w.kernel_w; ++kw) {
              const Index iy = y * w.stride_h - w.pad_h + kh, ix = x * w.stride_w - w.pad_w + kw;
              if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
              f(flat(out, n, c, y, x), flat(in, n, c, iy, ix));
            }
}

/// Calls f(element, channel) for every element.
template <class F>
void each_element(const Shape& s, F f) {
  for (Index i = 0; i < s.size(); ++i) f(i, i / s.pixels() % s.c);
}

/// Calls f(output, input, part) for every element of every value that is put beside the others.
template <class F>
void each_part(const std::vector<Shape>& parts, const Shape& out, F f) {
  Index first = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (Index n = 0; n < out.n; ++n)
      for (Index i = 0; i < parts[p].per_sample(); ++i)
        f(n * out.per_sample() + first + i, n * parts[p].per_sample() + i, p);
    first += parts[p].per_sample();
  }
}

double cells(const PoolWindow& w) {
  return static_cast<double>(w.kernel_h * w.kernel_w);
}

/// What both passes of one node look at.
struct NodeView {
  const Graph& graph;
  const Node& node;
  const ReferenceTrace& trace;
  const std::map<std::string, Doubles>& weights;
  Value value;

  Shape shape(Value v) const { return graph.node(v).shape.with_batch(trace.batch); }
  Shape out() const { return shape(value); }
  Shape in(std::size_t i = 0) const { return shape(node.inputs[i]); }
  const Doubles& x(std::size_t i = 0) const { return trace.values[static_cast<std::size_t>(node.inputs[i])]; }
  std::string name(const char* part) const { return node.name + part; }
  const Doubles& weight(const char* part) const { return weights.at(name(part)); }
  ConvGeometry geometry() const { return conv_geometry(graph, node, trace.batch); }
  std::vector<Shape> parts() const {
    std::vector<Shape> shapes;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) shapes.push_back(in(i));
    return shapes;
  }
};

/// y = f(x, w).
struct ForwardPass : NodeView {
  Doubles& y;  ///< zero at first

  void operator()(const op::Input&) const {}
  void operator()(const op::Normalize& o) const {
    each_element(out(), [&](Index i, Index c) {
      y[i] = (x()[i] - o.mean[static_cast<std::size_t>(c)]) / o.std[static_cast<std::size_t>(c)];
    });
  }
  void operator()(const op::Conv& o) const {
    const Doubles &from = x(), &w = weight(".weight");
    each_product(geometry(), [&](Index out, Index in, Index k) { y[out] += from[in] * w[k]; });
    if (o.bias) each_element(out(), [&](Index i, Index c) { y[i] += weight(".bias")[c]; });
  }
  void operator()(const op::BatchNorm&) const {
    const ReferenceTrace::Norm& s = trace.norms.at(value);
    const Doubles &gamma = weight(".weight"), &beta = weight(".bias");
    each_element(out(),
                 [&](Index i, Index c) { y[i] = gamma[c] * (x()[i] - s.mean[c]) * s.rstd[c] + beta[c]; });
  }
  void operator()(const op::Relu&) const {
    each_element(out(), [&](Index i, Index) { y[i] = std::max(x()[i], 0.0); });
  }
  void operator()(const op::MaxPool& o) const {
    std::fill(y.begin(), y.end(), -std::numeric_limits<double>::infinity());
    each_cell(in(), out(), o.window, [&](Index out, Index in) { y[out] = std::max(y[out], x()[in]); });
  }
  void operator()(const op::AveragePool& o) const {
    each_cell(in(), out(), o.window, [&](Index out, Index in) { y[out] += x()[in] / cells(o.window); });
  }
  void operator()(const op::GlobalAveragePool&) const {
    const double pixels = static_cast<double>(in().pixels());
    each_element(in(), [&](Index i, Index) { y[i / in().pixels()] += x()[i] / pixels; });
  }
  void operator()(const op::Linear& o) const {
    const Doubles& w = weight(".weight");
    const Index features = in().per_sample();
    for (Index i = 0; i < out().size(); ++i) {
      const Index n = i / o.out_features, k = i % o.out_features;
      if (o.bias) y[i] = weight(".bias")[k];
      for (Index f = 0; f < features; ++f) y[i] += x()[n * features + f] * w[k * features + f];
    }
  }
  void operator()(const op::Add&) const {
    each_element(out(), [&](Index i, Index) { y[i] = x(0)[i] + x(1)[i]; });
  }
  void operator()(const op::Concat&) const {
    each_part(parts(), out(), [&](Index out, Index in, std::size_t part) { y[out] = x(part)[in]; });
  }
};

/// dx += (df/dx)^T dy for every input, dw += (df/dw)^T dy.
struct BackwardPass : NodeView {
  const Doubles& dy;
  std::vector<Doubles>& gradients;  ///< by node
  std::map<std::string, Doubles>& dweights;

  Doubles& dx(std::size_t i = 0) const { return gradients[static_cast<std::size_t>(node.inputs[i])]; }
  Doubles& dweight(const char* part) const { return dweights.at(name(part)); }

  void operator()(const op::Input&) const {}
  void operator()(const op::Normalize& o) const {
    each_element(out(), [&](Index i, Index c) { dx()[i] += dy[i] / o.std[static_cast<std::size_t>(c)]; });
  }
  void operator()(const op::Conv& o) const {
    const Doubles &from = x(), &w = weight(".weight");
    Doubles &to = dx(), &dw = dweight(".weight");
    each_product(geometry(), [&](Index out, Index in, Index k) {
      to[in] += dy[out] * w[k];
      dw[k] += dy[out] * from[in];
    });
    if (o.bias) each_element(out(), [&](Index i, Index c) { dweight(".bias")[c] += dy[i]; });
  }
  void operator()(const op::BatchNorm&) const {
    const ReferenceTrace::Norm& s = trace.norms.at(value);
    const Doubles& gamma = weight(".weight");
    const auto xhat = [&](Index i, Index c) { return (x()[i] - s.mean[c]) * s.rstd[c]; };
    Doubles sum_dy(gamma.size()), sum_dy_xhat(gamma.size());
    each_element(out(), [&](Index i, Index c) {
      sum_dy[c] += dy[i];
      sum_dy_xhat[c] += dy[i] * xhat(i, c);
    });
    // Through frozen statistics the mean and the variance are constants.
    const double m = static_cast<double>(out().n * out().pixels());
    const double through = trace.mode == NormMode::frozen ? 0 : 1 / m;
    each_element(out(), [&](Index i, Index c) {
      dx()[i] += gamma[c] * s.rstd[c] * (dy[i] - through * (sum_dy[c] + xhat(i, c) * sum_dy_xhat[c]));
    });
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      dweight(".weight")[c] += sum_dy_xhat[c];
      dweight(".bias")[c] += sum_dy[c];
    }
  }
  void operator()(const op::Relu&) const {
    each_element(out(), [&](Index i, Index) { dx()[i] += x()[i] > 0 ? dy[i] : 0; });
  }
  void operator()(const op::MaxPool& o) const {
    const Doubles& y = trace.values[static_cast<std::size_t>(value)];
    std::vector<bool> given(y.size(), false);  // the first among equals takes it
    each_cell(in(), out(), o.window, [&](Index out, Index in) {
      if (given[out] || x()[in] != y[out]) return;
      dx()[in] += dy[out];
      given[out] = true;
    });
  }
  void operator()(const op::AveragePool& o) const {
    each_cell(in(), out(), o.window, [&](Index out, Index in) { dx()[in] += dy[out] / cells(o.window); });
  }
  void operator()(const op::GlobalAveragePool&) const {
    const double pixels = static_cast<double>(in().pixels());
    each_element(in(), [&](Index i, Index) { dx()[i] += dy[i / in().pixels()] / pixels; });
  }
  void operator()(const op::Linear& o) const {
    const Doubles& w = weight(".weight");
    const Index features = in().per_sample();
    for (Index i = 0; i < out().size(); ++i) {
      const Index n = i / o.out_features, k = i % o.out_features;
      if (o.bias) dweight(".bias")[k] += dy[i];
      for (Index f = 0; f < features; ++f) {
        dx()[n * features + f] += dy[i] * w[k * features + f];
        dweight(".weight")[k * features + f] += dy[i] * x()[n * features + f];
      }
    }
  }
  void operator()(const op::Add&) const {
    for (const std::size_t side : {0, 1}) each_element(out(), [&](Index i, Index) { dx(side)[i] += dy[i]; });
  }
  void operator()(const op::Concat&) const {
    each_part(parts(), out(), [&](Index out, Index in, std::size_t part) { dx(part)[in] += dy[out]; });
  }
};

std::map<std::string, Doubles> download(const ParameterLayout& layout, const Buffer& buffer) {
  std::map<std::string, Doubles> arrays;
  for (const ParameterEntry& entry : layout.entries()) {
    std::vector<float> values(static_cast<std::size_t>(entry.count));
    buffer.download(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
    arrays[entry.name] = Doubles(values.begin(), values.end());
  }
  return arrays;
}

}  // namespace

Reference::Reference(const Network& network)
    : graph_(network.graph()),
      weights_(download(network.parameters().weights, network.parameters().values)),
      statistics_(download(network.parameters().statistics, network.parameters().running)) {}

ReferenceTrace::Norm Reference::norm_statistics(Value v, const ReferenceTrace& trace) {
  const Node& node = graph_.node(v);
  const auto& norm = std::get<op::BatchNorm>(node.operation);
  Doubles& running_mean = statistics_.at(node.name + ".running_mean");
  Doubles& running_var = statistics_.at(node.name + ".running_var");
  Doubles mean = running_mean, var = running_var;
  if (trace.mode != NormMode::frozen) {
    const Doubles& x = trace.values[static_cast<std::size_t>(node.inputs[0])];
    const Shape shape = node.shape.with_batch(trace.batch);
    const double m = static_cast<double>(shape.n * shape.pixels());
    std::fill(mean.begin(), mean.end(), 0.0);
    std::fill(var.begin(), var.end(), 0.0);
    each_element(shape, [&](Index i, Index c) { mean[c] += x[i] / m; });
    each_element(shape, [&](Index i, Index c) { var[c] += (x[i] - mean[c]) * (x[i] - mean[c]) / m; });
    if (trace.mode == NormMode::batch)
      for (std::size_t c = 0; c < mean.size(); ++c) {
        const double unbiased = m > 1 ? var[c] * m / (m - 1) : var[c];
        running_mean[c] += norm.momentum * (mean[c] - running_mean[c]);
        running_var[c] += norm.momentum * (unbiased - running_var[c]);
      }
  }
  for (double& value : var) value = 1 / std::sqrt(value + norm.eps);
  return {std::move(mean), std::move(var)};
}

ReferenceTrace Reference::forward(std::span<const double> images, NormMode mode) {
  const auto image = static_cast<std::size_t>(graph_.input_shape().per_sample());
  if (images.empty() || images.size() % image != 0)
    fail(ErrorKind::usage, "Reference::forward: ", images.size(), " numbers, expected images of ", image);
  ReferenceTrace trace;
  trace.batch = static_cast<std::int64_t>(images.size() / image);
  trace.mode = mode;
  trace.values.emplace_back(images.begin(), images.end());
  for (Value v = 1; v <= graph_.output(); ++v) {
    const Node& node = graph_.node(v);
    if (std::holds_alternative<op::BatchNorm>(node.operation)) trace.norms[v] = norm_statistics(v, trace);
    Doubles y(static_cast<std::size_t>(node.shape.with_batch(trace.batch).size()));
    std::visit(ForwardPass{{graph_, node, trace, weights_, v}, y}, node.operation);
    trace.values.push_back(std::move(y));
  }
  return trace;
}

ReferenceGradients Reference::backward(const ReferenceTrace& trace, std::span<const double> dlogits) const {
  if (dlogits.size() != trace.logits().size())
    fail(ErrorKind::usage, "Reference::backward: ", dlogits.size(), " numbers, expected ",
         trace.logits().size());
  ReferenceGradients result;
  for (const auto& [name, values] : weights_) result.weights[name].resize(values.size());
  std::vector<Doubles> gradients;
  for (const Doubles& values : trace.values) gradients.emplace_back(values.size());
  gradients.back().assign(dlogits.begin(), dlogits.end());
  for (Value v = graph_.output(); v > 0; --v) {
    const Node& node = graph_.node(v);
    const Doubles dy = std::move(gradients[static_cast<std::size_t>(v)]);
    std::visit(BackwardPass{{graph_, node, trace, weights_, v}, dy, gradients, result.weights},
               node.operation);
  }
  result.images = std::move(gradients[0]);
  return result;
}

void Reference::sgd_step(const ReferenceGradients& gradients, double rate, double decay) {
  for (auto& [name, values] : weights_) {
    const Doubles& gradient = gradients.weights.at(name);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] -= rate * (gradient[i] + decay * values[i]);
  }
}

ReferenceLoss reference_softmax_ce(std::span<const double> logits, std::span<const std::int32_t> label,
                                   Reduction reduction) {
  if (label.empty() || logits.empty() || logits.size() % label.size() != 0)
    fail(ErrorKind::usage, "reference_softmax_ce: ", logits.size(), " logits for ", label.size(), " labels");
  const std::size_t classes = logits.size() / label.size();
  const double scale = reduction == Reduction::mean ? 1 / static_cast<double>(label.size()) : 1;
  ReferenceLoss result{Doubles(label.size()), Doubles(logits.size())};
  for (std::size_t n = 0; n < label.size(); ++n) {
    const auto y = static_cast<std::size_t>(label[n]);
    if (label[n] < 0 || y >= classes)
      fail(ErrorKind::usage, "reference_softmax_ce: label ", label[n], ", expected 0 to ", classes - 1);
    const std::span<const double> z = logits.subspan(n * classes, classes);
    double* const dz = result.dlogits.data() + n * classes;
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0, others = 0;
    for (const double logit : z) sum += std::exp(logit - top);
    for (std::size_t k = 0; k < classes; ++k) {
      dz[k] = scale * std::exp(z[k] - top) / sum;
      if (k != y) others += dz[k];
    }
    dz[y] = -others;
    result.loss[n] = top + std::log(sum) - z[y];
  }
  return result;
}

}  // namespace inocula
