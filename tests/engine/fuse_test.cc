// Which nodes become one layer, and that it makes no difference to the results.
#include "engine/fuse.h"

#include <algorithm>
#include <string>

#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

const ConvWindow kThree{.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1};

/// Groups as text: "conv norm relu < input" names the members in order and what the group reads.
std::vector<std::string> describe(const Graph& graph, NormMode mode) {
  std::vector<std::string> list;
  for (const NodeGroup& g : fuse(graph, mode)) {
    std::string text;
    for (const Value v : {g.conv, g.norm, g.add, g.relu, g.other})
      if (v >= 0) text += graph.node(v).name + " ";
    text += "<";
    for (const Value v : g.inputs) text += " " + graph.node(v).name;
    list.push_back(text);
  }
  return list;
}

using Groups = std::vector<std::string>;

/// input, then a convolution "stem" that no test cares about.
Graph with_stem() {
  Graph g({1, 3, 6, 6});
  g.add("stem", op::Conv{8, kThree}, {0});
  return g;
}

/// The same network with an identity behind every node that could be fused: a concatenation of one value.
Graph unfused(const Graph& graph) {
  Graph result(graph.input_shape());
  std::vector<Value> now{0};
  for (Value v = 1; v <= graph.output(); ++v) {
    const Node& node = graph.node(v);
    std::vector<Value> inputs;
    for (const Value input : node.inputs) inputs.push_back(now[static_cast<std::size_t>(input)]);
    Value made = result.add(node.name, node.operation, inputs);
    const bool can_fuse = std::holds_alternative<op::Conv>(node.operation) ||
                          std::holds_alternative<op::BatchNorm>(node.operation) ||
                          std::holds_alternative<op::Add>(node.operation);
    if (can_fuse) made = result.add(node.name + ".identity", op::Concat{}, {made});
    now.push_back(made);
  }
  return result;
}

}  // namespace

TEST_CASE("fuse: convolution, norm and ReLU") {
  Graph g = with_stem();
  Value x = g.add("conv", op::Conv{8, kThree}, {1});
  x = g.add("norm", op::BatchNorm{}, {x});
  g.add("relu", op::Relu{}, {x});
  CHECK(describe(g, NormMode::frozen) == Groups{"stem < input", "conv norm relu < stem"});
  for (const NormMode mode : {NormMode::batch, NormMode::batch_no_update})
    CHECK(describe(g, mode) == Groups{"stem < input", "conv < stem", "norm relu < conv"});
}

TEST_CASE("fuse: the residual joins whichever branch is computed last") {
  for (const bool residual_first : {false, true}) {
    CAPTURE(residual_first);
    Graph g = with_stem();
    const Value a = g.add("a", op::Conv{8, kThree}, {1});
    const Value b = g.add("b", op::Conv{8, kThree}, {1});
    const Value sum =
        g.add("sum", op::Add{}, residual_first ? std::vector<Value>{a, b} : std::vector<Value>{b, a});
    g.add("relu", op::Relu{}, {sum});
    for (const NormMode mode : {NormMode::frozen, NormMode::batch})
      CHECK(describe(g, mode) == Groups{"stem < input", "a < stem", "b sum relu < stem a"});
  }
}

TEST_CASE("fuse: a residual block with a shortcut, in evaluation and in training") {
  Graph g = with_stem();
  Value h = g.add("conv", op::Conv{8, kThree}, {1});
  h = g.add("norm", op::BatchNorm{}, {h});
  const Value shortcut = g.add("down", op::BatchNorm{}, {1});
  h = g.add("sum", op::Add{}, {h, shortcut});
  g.add("relu", op::Relu{}, {h});
  CHECK(describe(g, NormMode::frozen) ==
        Groups{"stem < input", "conv norm < stem", "down sum relu < stem norm"});
  CHECK(describe(g, NormMode::batch) ==
        Groups{"stem < input", "conv < stem", "norm < conv", "down sum relu < stem norm"});
}

TEST_CASE("fuse: a value that others read ends its group") {
  Graph g = with_stem();
  const Value conv = g.add("conv", op::Conv{8, kThree}, {1});
  const Value norm = g.add("norm", op::BatchNorm{}, {conv});
  const Value relu = g.add("relu", op::Relu{}, {norm});
  SUBCASE("the convolution's") {
    g.add("sum", op::Add{}, {relu, conv});
    CHECK(describe(g, NormMode::frozen) ==
          Groups{"stem < input", "conv < stem", "norm relu < conv", "sum < relu conv"});
  }
  SUBCASE("the norm's") {
    g.add("sum", op::Add{}, {norm, relu});
    CHECK(describe(g, NormMode::frozen) ==
          Groups{"stem < input", "conv norm < stem", "relu < norm", "sum < norm relu"});
  }
  SUBCASE("twice by one reader") {
    g.add("sum", op::Add{}, {relu, relu});
    CHECK(describe(g, NormMode::frozen) ==
          Groups{"stem < input", "conv norm relu < stem", "sum < relu relu"});
  }
}

TEST_CASE("fuse: what stands in no order that one layer computes stays apart") {
  Graph g = with_stem();
  Value x = g.add("norm", op::BatchNorm{}, {1});  // before its convolution
  x = g.add("relu", op::Relu{}, {x});
  x = g.add("conv", op::Conv{8, kThree}, {x});
  x = g.add("relu2", op::Relu{}, {x});
  x = g.add("norm2", op::BatchNorm{}, {x});  // behind a ReLU
  x = g.add("norm3", op::BatchNorm{}, {x});
  x = g.add("relu3", op::Relu{}, {x});
  x = g.add("relu4", op::Relu{}, {x});
  g.add("sum", op::Add{}, {x, 1});  // behind a ReLU, too
  CHECK(describe(g, NormMode::frozen) == Groups{"stem < input", "norm relu < stem", "conv relu2 < relu",
                                                "norm2 < relu2", "norm3 relu3 < norm2", "relu4 < relu3",
                                                "sum < relu4 stem"});
}

TEST_CASE("fuse: the first node of a graph's output ends its group") {
  Graph g = with_stem();
  g.add("norm", op::BatchNorm{}, {1});
  CHECK(describe(g, NormMode::frozen) == Groups{"stem norm < input"});
}

TEST_CASE("fuse: every node is in one group, and groups come in an order that can be computed") {
  for (const GraphCase& c : graph_cases())
    for (const NormMode mode : {NormMode::frozen, NormMode::batch}) {
      CAPTURE(c.name);
      std::vector<bool> computed(c.graph.nodes().size(), false), made(c.graph.nodes().size(), false);
      computed[0] = made[0] = true;
      for (const NodeGroup& g : fuse(c.graph, mode)) {
        for (const Value v : g.inputs) CHECK(computed[static_cast<std::size_t>(v)]);
        for (const Value v : {g.conv, g.norm, g.add, g.relu, g.other}) {
          if (v < 0) continue;
          CHECK(!made[static_cast<std::size_t>(v)]);
          made[static_cast<std::size_t>(v)] = true;
        }
        computed[static_cast<std::size_t>(g.output)] = true;
      }
      CHECK(std::count(made.begin(), made.end(), false) == 0);
    }
}

TEST_CASE("fuse: fused and unfused networks agree") {
  // Both round, in another order: folding a scale into weights, adding a bias before or after.
  constexpr double kBound = 1e-5;
  int compared = 0;
  for (const GraphCase& c : graph_cases()) {
    const Graph apart = unfused(c.graph);
    for (const NodeGroup& g : fuse(apart, NormMode::frozen)) {
      const int members = (g.conv >= 0) + (g.norm >= 0) + (g.add >= 0) + (g.other >= 0);
      REQUIRE(members <= 1);
    }
    Network fused_network(c.graph, cpu()), apart_network(apart, cpu());
    randomize(fused_network, 11);
    randomize(apart_network, 11);
    const std::vector<float> images = random_images(c.graph.input_shape().with_batch(c.batch), 12);
    const std::vector<std::int32_t> label = random_labels(c.batch, c.graph.classes(), 13);
    for (const NormMode norm : {NormMode::frozen, NormMode::batch}) {
      CAPTURE(c.name);
      CAPTURE(static_cast<int>(norm));
      const RecordingMode mode{
          .norm = norm, .input_gradient = true, .parameter_gradients = norm == NormMode::batch};
      const NetworkPass a = run_pass(fused_network, images, label, mode, Reduction::sum);
      const NetworkPass b = run_pass(apart_network, images, label, mode, Reduction::sum);
      CHECK(relative_error(a.logits, to_doubles(b.logits)) <= kBound);
      Reference reference(fused_network);
      if (count_near_kinks(c.graph, reference.forward(to_doubles(images), norm)) > 0) continue;
      compared += 1;
      CHECK(relative_error(a.dimages, to_doubles(b.dimages)) <= 10 * kBound);
      std::map<std::string, std::vector<double>> apart_gradients;
      for (const auto& [name, gradient] : b.dweights) apart_gradients[name] = to_doubles(gradient);
      for (const auto& [name, error] : gradient_errors(a.dweights, apart_gradients)) {
        CAPTURE(name);
        CHECK(error <= 10 * kBound);
      }
    }
  }
  CHECK(compared > static_cast<int>(graph_cases().size()));  // most of two modes each
}

}  // namespace inocula::test
