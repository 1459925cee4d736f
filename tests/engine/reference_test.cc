// The double reference against finite differences, closed forms, and its own refusals.
#include "engine/reference.h"

#include <cmath>
#include <random>

#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

/// Four-point central differences in double: the step's fourth power times fifth derivatives, and rounding of
/// 1e-16 over the step. Small batches under batch statistics have the sharpest curvature.
constexpr double kFiniteDifferenceBound = 1e-6;
constexpr double kFirstStep = 1e-5, kLeastStep = 1e-9;

using Doubles = std::vector<double>;

Doubles random_doubles(std::size_t count, std::mt19937& generator) {
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  Doubles values(count);
  for (double& v : values) v = uniform(generator);
  return values;
}

double dot(const Doubles& a, const Doubles& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// On which side of its kink each ReLU is, and which cell won each pooling window.
std::vector<std::int64_t> kinks(const Graph& graph, const ReferenceTrace& trace) {
  std::vector<std::int64_t> sides;
  for (const Node& node : graph.nodes()) {
    if (!std::holds_alternative<op::Relu>(node.operation) &&
        !std::holds_alternative<op::MaxPool>(node.operation))
      continue;
    const Doubles& x = trace.values[static_cast<std::size_t>(node.inputs[0])];
    if (std::holds_alternative<op::Relu>(node.operation)) {
      for (const double v : x) sides.push_back(v > 0 ? 1 : 0);
      continue;
    }
    // The order of each pair of neighbours decides who wins any window.
    const std::int64_t width = graph.node(node.inputs[0]).shape.w;
    for (std::size_t i = 0; i < x.size(); ++i)
      for (const std::size_t next :
           {i + 1, i + 2, i + static_cast<std::size_t>(width), i + static_cast<std::size_t>(width) + 1,
            i + static_cast<std::size_t>(width) - 1, i + 2 * static_cast<std::size_t>(width)})
        sides.push_back(next < x.size() && x[next] > x[i] ? 1 : 0);
  }
  return sides;
}

/// Slope of sum(r y) along `direction` from x, both sides on the same piece of the network's kinks.
double slope(Reference& reference, const Graph& graph, const Doubles& images, NormMode mode, const Doubles& r,
             Doubles& x, const Doubles& direction) {
  const Doubles at = x;
  const auto side = [&](double step) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = at[i] + step * direction[i];
    return reference.forward(images, mode);
  };
  for (double step = kFirstStep; step >= kLeastStep; step /= 4) {
    const ReferenceTrace above = side(2 * step), below = side(-2 * step);
    const bool crosses = kinks(graph, above) != kinks(graph, below);
    const double far = dot(r, above.logits()) - dot(r, below.logits());
    const double near = crosses ? 0 : dot(r, side(step).logits()) - dot(r, side(-step).logits());
    x = at;
    if (!crosses) return (8 * near - far) / (12 * step);
  }
  FAIL("every step crosses a kink");
  return 0;
}

/// Checks the gradients of sum(r y), y the last node's value, along random directions of each array.
void check_gradients(const Graph& graph, std::int64_t batch, NormMode mode, unsigned seed) {
  Network network(graph, cpu());
  randomize(network, seed);
  Reference reference(network);
  std::mt19937 generator(seed);
  const Shape shape = graph.input_shape().with_batch(batch);
  Doubles images = to_doubles(random_images(shape, seed));
  const Doubles r = random_doubles(
      static_cast<std::size_t>(graph.nodes().back().shape.with_batch(batch).size()), generator);
  const ReferenceGradients gradients = reference.backward(reference.forward(images, mode), r);

  double largest = 0;
  for (const auto& [name, gradient] : gradients.weights)
    largest = std::max(largest, std::sqrt(dot(gradient, gradient)));
  const auto check = [&](const std::string& name, Doubles& x, const Doubles& gradient) {
    CAPTURE(name);
    REQUIRE(gradient.size() == x.size());
    const double norm = std::sqrt(dot(gradient, gradient));
    const Doubles direction = random_doubles(x.size(), generator);
    const double measured = slope(reference, graph, images, mode, r, x, direction);
    // A bias before batch statistics has a gradient of exactly 0: measured against the largest there is.
    CHECK(std::abs(measured - dot(gradient, direction)) <=
          kFiniteDifferenceBound * std::max(norm, 1e-3 * largest));
  };
  check("images", images, gradients.images);
  for (auto& [name, values] : reference.weights()) check(name, values, gradients.weights.at(name));
}

}  // namespace

TEST_CASE("reference: gradients of every network equal finite differences") {
  constexpr double kQuick = 4e5;  // multiply-adds an image: each array takes five passes
  std::vector<GraphCase> cases = graph_cases();
  cases.push_back({"resnet18, width 2, 1 x 9 x 8", small_resnet({1, 1, 9, 8}, 2, 3), 5});
  std::size_t checked = 0;
  unsigned seed = 1;
  for (const GraphCase& c : cases) {
    if (c.graph.multiply_adds() > kQuick) continue;
    checked += 1;
    for (const NormMode mode : {NormMode::frozen, NormMode::batch_no_update}) {
      CAPTURE(c.name);
      CAPTURE(static_cast<int>(mode));
      check_gradients(c.graph, c.batch, mode, seed++);
    }
  }
  CHECK(checked >= 10);
}

TEST_CASE("reference: gradients of each operation alone equal finite differences") {
  const Shape image{1, 4, 6, 5};
  const ConvWindow odd{.kernel_h = 3,
                       .kernel_w = 2,
                       .stride_h = 2,
                       .stride_w = 1,
                       .pad_h = 1,
                       .pad_w = 1,
                       .dilation_h = 2,
                       .dilation_w = 1};
  const PoolWindow pool{.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 1};
  const std::vector<std::pair<const char*, Operation>> operations = {
      {"normalize", op::Normalize{{0.1f, 0.2f, 0.3f, 0.4f}, {0.5f, 0.6f, 0.7f, 0.8f}}},
      {"conv", op::Conv{6, odd, 1, true}},
      {"grouped conv", op::Conv{6, odd, 2, true}},
      {"depthwise conv", op::Conv{8, odd, 4, false}},
      {"batch norm", op::BatchNorm{}},
      {"relu", op::Relu{}},
      {"max pool", op::MaxPool{pool}},
      {"average pool", op::AveragePool{pool}},
      {"global average pool", op::GlobalAveragePool{}},
      {"linear", op::Linear{3, true}},
      {"linear without bias", op::Linear{3, false}},
  };
  unsigned seed = 100;
  for (const auto& [name, operation] : operations)
    for (const NormMode mode : {NormMode::frozen, NormMode::batch_no_update}) {
      CAPTURE(name);
      Graph graph(image);
      // Images are positive: shifted, so that a ReLU sees both signs.
      graph.add("shift", op::Normalize{std::vector<float>(4, 0.5f), std::vector<float>(4, 0.3f)}, {0});
      graph.add(name, operation, {1});
      check_gradients(graph, 3, mode, seed++);
    }
  SUBCASE("add and concat") {
    Graph graph(image);
    const Value x = graph.add("conv", op::Conv{4, {}, 1, true}, {0});
    const Value sum = graph.add("add", op::Add{}, {x, 0});
    graph.add("concat", op::Concat{}, {sum, x, 0, x});
    check_gradients(graph, 2, NormMode::frozen, seed);
  }
}

TEST_CASE("reference: the gradient of the cross-entropy equals finite differences") {
  std::mt19937 generator(5);
  Doubles z = random_doubles(4 * 3, generator);
  for (double& v : z) v *= 3;
  const std::vector<std::int32_t> label = {0, 2, 1, 2};
  for (const Reduction reduction : {Reduction::sum, Reduction::mean}) {
    const auto total = [&] {
      double sum = 0;
      for (const double loss : reference_softmax_ce(z, label, reduction).loss) sum += loss;
      return reduction == Reduction::mean ? sum / 4 : sum;
    };
    const Doubles gradient = reference_softmax_ce(z, label, reduction).dlogits;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double at = z[i];
      z[i] = at + kFirstStep;
      const double above = total();
      z[i] = at - kFirstStep;
      const double below = total();
      z[i] = at;
      CHECK(std::abs((above - below) / (2 * kFirstStep) - gradient[i]) <= kFiniteDifferenceBound);
    }
  }
}

TEST_CASE("reference: the cross-entropy of two classes is the softplus of the margin") {
  for (const double margin : {-800.0, -20.0, -1.0, 0.0, 1.0, 20.0, 800.0}) {
    const ReferenceLoss loss =
        reference_softmax_ce(Doubles{margin, 0}, std::vector<std::int32_t>{0}, Reduction::sum);
    const double expected =
        margin > 0 ? std::log1p(std::exp(-margin)) : -margin + std::log1p(std::exp(margin));
    CHECK(loss.loss[0] == doctest::Approx(expected).epsilon(1e-12));
    CHECK(loss.dlogits[1] == doctest::Approx(1 / (1 + std::exp(margin))).epsilon(1e-12));
    CHECK(loss.dlogits[0] == -loss.dlogits[1]);
  }
}

TEST_CASE("reference: hand-computed values") {
  SUBCASE("a convolution with stride, padding and bias") {
    Graph graph({1, 1, 3, 3});
    graph.add(
        "conv",
        op::Conv{
            1, {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}, 1, true},
        {0});
    Network network(graph, cpu());
    set_weight(network, "conv.weight", {1, 10, 100, 1000});
    set_weight(network, "conv.bias", {0.5f});
    Reference reference(network);
    const ReferenceTrace trace = reference.forward(Doubles{1, 2, 3, 4, 5, 6, 7, 8, 9}, NormMode::frozen);
    CHECK(trace.logits() == Doubles{1000.5, 3200.5, 7040.5, 9865.5});
  }
  SUBCASE("batch norm, its running statistics, and their unbiased variance") {
    Graph graph({1, 1, 1, 2});
    graph.add("norm", op::BatchNorm{.eps = 0.25f, .momentum = 0.5f}, {0});
    Network network(graph, cpu());
    Reference reference(network);
    const Doubles images = {1, 3, 5, 7};  // mean 4, variance 5 biased and 20/3 unbiased
    const ReferenceTrace trace = reference.forward(images, NormMode::batch);
    for (std::size_t i = 0; i < images.size(); ++i)
      CHECK(trace.logits()[i] == doctest::Approx((images[i] - 4) / std::sqrt(5.25)).epsilon(1e-14));
    CHECK(reference.statistics().at("norm.running_mean")[0] == doctest::Approx(2.0).epsilon(1e-14));
    CHECK(reference.statistics().at("norm.running_var")[0] == doctest::Approx(0.5 + 10.0 / 3).epsilon(1e-14));
    const auto statistics = reference.statistics();
    reference.forward(images, NormMode::batch_no_update);
    reference.forward(images, NormMode::frozen);
    CHECK(reference.statistics() == statistics);
  }
  SUBCASE("a ReLU passes nothing back at 0, and the first of equals wins a window") {
    Graph graph({1, 1, 1, 4});
    const Value relu = graph.add("relu", op::Relu{}, {0});
    graph.add("max", op::MaxPool{{.kernel_h = 1, .kernel_w = 2, .stride_h = 1, .stride_w = 2}}, {relu});
    Reference reference(Network(graph, cpu()));
    const ReferenceTrace trace = reference.forward(Doubles{0, 0, 2, 2}, NormMode::frozen);
    CHECK(reference.backward(trace, Doubles{3, 5}).images == Doubles{0, 0, 5, 0});
  }
  SUBCASE("an SGD step") {
    Graph graph({1, 1, 1, 1});
    graph.add("fc", op::Linear{1, true}, {0});
    Network network(graph, cpu());
    set_weight(network, "fc.weight", {2});
    set_weight(network, "fc.bias", {-1});
    Reference reference(network);
    const ReferenceTrace trace = reference.forward(Doubles{3}, NormMode::frozen);
    reference.sgd_step(reference.backward(trace, Doubles{4}), 0.5, 0.25);
    CHECK(reference.weights().at("fc.weight")[0] == 2 - 0.5 * (12 + 0.5));
    CHECK(reference.weights().at("fc.bias")[0] == -1 - 0.5 * (4 - 0.25));
  }
}

TEST_CASE("reference: refuses what does not fit") {
  Network network(tiny_graph({1, 1, 4, 4}, 2, 3), cpu());
  Reference reference(network);
  check_throws(ErrorKind::usage, "17 numbers, expected images of 16",
               [&] { reference.forward(Doubles(17), NormMode::frozen); });
  check_throws(ErrorKind::usage, "expected images of 16",
               [&] { reference.forward(Doubles{}, NormMode::frozen); });
  const ReferenceTrace trace = reference.forward(Doubles(32), NormMode::frozen);
  check_throws(ErrorKind::usage, "5 numbers, expected 6", [&] { reference.backward(trace, Doubles(5)); });
  const std::vector<std::int32_t> labels = {0, 3};
  check_throws(ErrorKind::usage, "label 3, expected 0 to 2",
               [&] { reference_softmax_ce(Doubles(6), labels, Reduction::sum); });
  check_throws(ErrorKind::usage, "5 logits for 2 labels",
               [&] { reference_softmax_ce(Doubles(5), labels, Reduction::sum); });
}

}  // namespace inocula::test
