// Graphs argue shapes once: what they infer, count and refuse, and what a recording refuses of them.
#include "engine/graph.h"

#include <limits>

#include "engine/recording.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

/// Records the network's forward pass, and the backward where the mode asks for one.
void record(const Graph& graph, RecordingMode mode = {}, std::int64_t batch = 2) {
  Network network(graph, cpu());
  Recorder r(cpu());
  Recording recording(r, network, batch, mode);
  ForwardTrace trace = recording.forward(r.make("images", graph.input_shape().with_batch(batch)));
  if (mode.input_gradient || mode.parameter_gradients) recording.backward(trace, trace.logits);
}

Shape shape_of(const Shape& in, Operation operation) {
  Graph g(in);
  g.add("node", std::move(operation), {0});
  return g.nodes().back().shape;
}

void check_refused(const Shape& in, Operation operation, const std::string& part) {
  Graph g(in);
  check_throws(ErrorKind::usage, "node 'node'", [&] { g.add("node", operation, {0}); });
  check_throws(ErrorKind::usage, part, [&] { g.add("node", operation, {0}); });
  CHECK(g.nodes().size() == 1);  // a refused node leaves no trace
}

}  // namespace

TEST_CASE("graph: shapes") {
  const Shape in{1, 4, 11, 8};
  CHECK(shape_of(in, op::Conv{6, {.kernel_h = 3, .kernel_w = 3}}) == Shape{1, 6, 9, 6});
  CHECK(shape_of(
            in,
            op::Conv{6,
                     {.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 0}}) ==
        Shape{1, 6, 6, 3});
  CHECK(shape_of(in, op::Conv{8, {.kernel_h = 3, .kernel_w = 3, .dilation_h = 4, .dilation_w = 2}, 4}) ==
        Shape{1, 8, 3, 4});
  CHECK(shape_of(in, op::BatchNorm{}) == in);
  CHECK(shape_of(in, op::Relu{}) == in);
  CHECK(shape_of(in,
                 op::MaxPool{
                     {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}}) ==
        Shape{1, 4, 6, 4});
  CHECK(shape_of(in, op::AveragePool{{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}}) ==
        Shape{1, 4, 5, 4});
  CHECK(shape_of(in, op::GlobalAveragePool{}) == Shape{1, 4, 1, 1});
  CHECK(shape_of(in, op::Linear{7, true}) == Shape{1, 7, 1, 1});
  Graph g(in);
  CHECK(g.node(g.add("sum", op::Add{}, {0, 0})).shape == in);
  CHECK(g.node(g.add("beside", op::Concat{}, {0, 1, 0})).shape == Shape{1, 12, 11, 8});
}

TEST_CASE("graph: what cannot be is refused with the node's name") {
  const Shape in{1, 4, 5, 6};
  check_refused(in, op::Input{}, "one input");
  check_refused(in, op::Normalize{{0.5f}, {0.5f}}, "expected one for each of 4 channels");
  check_refused(in, op::Normalize{{0, 0, 0, 0}, {1, 1, 1}}, "4 and 3 entries");
  check_refused(in, op::Normalize{{0, 0, 0, 0}, {1, 1, 0, 1}}, "std is 0");
  check_refused(in, op::Normalize{{0, 0, 0, 0}, {1, 1, std::numeric_limits<float>::quiet_NaN(), 1}},
                "expected a positive number");
  check_refused(in, op::Conv{6, {.kernel_h = 6, .kernel_w = 3}}, "leaves nothing");
  check_refused(in, op::Conv{6, {.kernel_h = 3, .kernel_w = 3, .dilation_h = 3}}, "leaves nothing");
  check_refused(in, op::Conv{6, {}, 3}, "3 groups do not divide");
  check_refused(in, op::Conv{6, {}, 4}, "4 groups do not divide");
  check_refused(in, op::Conv{6, {}, 0}, "groups");
  check_refused(in, op::Conv{0, {}}, "output channels");
  check_refused(in, op::Conv{6, {.kernel_h = 0}}, "kernel 0 x 1");
  check_refused(in, op::Conv{6, {.stride_w = 0}}, "stride 1 x 0");
  check_refused(in, op::Conv{6, {.pad_h = -1}}, "padding -1 x 0");
  check_refused(in, op::Conv{6, {.dilation_w = 0}}, "dilation 1 x 0");
  check_refused(in, op::MaxPool{{.kernel_h = 17, .kernel_w = 16}}, "256 cells");
  check_refused(in, op::MaxPool{{.stride_h = 0}}, "stride 0 x 1");
  check_refused(in, op::MaxPool{{.kernel_h = 2, .kernel_w = 2, .pad_h = 2}}, "at most half the kernel");
  check_refused(in, op::AveragePool{{.kernel_h = 3, .kernel_w = 3, .pad_w = 2}}, "at most half the kernel");
  check_refused(in, op::AveragePool{{.kernel_h = 6, .kernel_w = 6}}, "leaves nothing");
  check_refused(in, op::Linear{0, true}, "leaves nothing");
  check_refused(in, op::Add{}, "has 1 inputs, expected 2");
  Graph g(in);
  const Value small = g.add("small", op::MaxPool{{.kernel_h = 2, .kernel_w = 2}}, {0});
  check_throws(ErrorKind::usage, "node 'sum': cannot add (1, 4, 5, 6) and (1, 4, 4, 5)", [&] {
    g.add("sum", op::Add{}, {0, small});
  });
  check_throws(ErrorKind::usage, "node 'beside': cannot put", [&] {
    g.add("beside", op::Concat{}, {0, small});
  });
  check_throws(ErrorKind::usage, "node 'empty': nothing to concatenate",
               [&] { g.add("empty", op::Concat{}, {}); });
  check_throws(ErrorKind::usage, "node 'later': input 2 does not exist",
               [&] { g.add("later", op::Relu{}, {2}); });
  check_throws(ErrorKind::usage, "node 'before': input -1 does not exist",
               [&] { g.add("before", op::Relu{}, {-1}); });
}

TEST_CASE("graph: counting") {
  Graph g({1, 3, 8, 8});
  Value x = g.add("conv", op::Conv{6, {.kernel_h = 3, .kernel_w = 3}, 3, true}, {0});
  x = g.add("norm", op::BatchNorm{}, {x});
  x = g.add("relu", op::Relu{}, {x});
  x = g.add("fc", op::Linear{5, true}, {x});
  CHECK(g.parameter_count() == 6 * 1 * 9 + 6 + 12 + 5 * (6 * 36 + 1));
  CHECK(g.multiply_adds() == 6 * 36 * 9 + 5 * 6 * 36);
  CHECK(g.classes() == 5);
  CHECK(g.output() == 4);
}

TEST_CASE("graph: values lie plain or in blocks") {
  Graph g({1, 3, 8, 8});
  const Value images = g.add("normalize", op::Normalize{{0, 0, 0}, {1, 1, 1}}, {0});
  const Value before = g.add("relu", op::Relu{}, {images});
  const Value conv = g.add("conv", op::Conv{6, {}}, {before});
  const Value norm = g.add("norm", op::BatchNorm{}, {conv});
  const Value pool = g.add("pool", op::GlobalAveragePool{}, {norm});
  const Value linear = g.add("fc", op::Linear{4, true}, {conv});
  for (const Value plain : {0, images, before, pool, linear}) CHECK(layout_of(g, plain) == Layout::plain);
  for (const Value blocked : {conv, norm}) CHECK(layout_of(g, blocked) == Layout::blocked);
}

TEST_CASE("recording: refuses what it cannot compute, naming the node") {
  SUBCASE("a value that nothing reads") {
    Graph g({1, 1, 4, 4});
    const Value x = g.add("conv", op::Conv{4, {}}, {0});
    g.add("dead", op::Relu{}, {x});
    g.add("fc", op::Linear{2, true}, {x});
    check_throws(ErrorKind::usage, "node 'dead': nothing reads its value", [&] { record(g); });
  }
  SUBCASE("images that nothing reads") {
    const Graph g({1, 1, 4, 4});
    check_throws(ErrorKind::usage, "expected logits", [&] { record(g); });
  }
  SUBCASE("an output that is no row of logits") {
    Graph g({1, 1, 4, 4});
    g.add("conv", op::Conv{4, {}}, {0});
    check_throws(ErrorKind::usage, "node 'conv': ends the network with (2, 4, 4, 4), expected logits",
                 [&] { record(g); });
    Graph blocked({1, 1, 4, 4});  // one pixel, but in blocks
    blocked.add("conv", op::Conv{4, {.kernel_h = 4, .kernel_w = 4}}, {0});
    check_throws(ErrorKind::usage, "expected logits", [&] { record(blocked); });
  }
  SUBCASE("images joined with features, as a sum of either kind or side by side") {
    for (const bool fused : {true, false}) {
      Graph g({1, 8, 4, 4});
      Value x = g.add("conv", op::Conv{8, {}}, {0});
      if (!fused) x = g.add("relu", op::Relu{}, {x});
      x = g.add("join", op::Add{}, {x, 0});
      g.add("fc", op::Linear{2, true}, {x});
      check_throws(ErrorKind::usage, "node 'join': joins images or pooled features with a convolution's",
                   [&] { record(g); });
    }
    Graph g({1, 8, 4, 4});
    Value x = g.add("conv", op::Conv{8, {}}, {0});
    x = g.add("beside", op::Concat{}, {0, x});
    g.add("fc", op::Linear{2, true}, {x});
    check_throws(ErrorKind::usage, "node 'beside'", [&] { record(g); });
  }
  SUBCASE("training behind frozen statistics, with the norm folded into a convolution or by itself") {
    for (const bool folded : {true, false}) {
      Graph g({1, 1, 4, 4});
      Value x = g.add("conv", op::Conv{4, {}}, {0});
      if (!folded) x = g.add("relu", op::Relu{}, {x});
      x = g.add("norm", op::BatchNorm{}, {x});
      g.add("fc", op::Linear{2, true}, {x});
      check_throws(ErrorKind::usage,
                   "batch norm 'norm': its parameters cannot be trained with frozen statistics", [&] {
                     record(g,
                            {.norm = NormMode::frozen, .input_gradient = false, .parameter_gradients = true});
                   });
    }
  }
  SUBCASE("an empty batch") {
    check_throws(ErrorKind::usage, "batch size is 0", [&] { record(tiny_graph({1, 1, 4, 4}, 2, 2), {}, 0); });
  }
  SUBCASE("images of another shape") {
    Network network(tiny_graph({1, 1, 4, 4}, 2, 2), cpu());
    Recorder r(cpu());
    Recording recording(r, network, 2, {});
    check_throws(ErrorKind::internal, "images are (2, 1, 4, 5), expected plain fp32 (2, 1, 4, 4)", [&] {
      recording.forward(r.make("images", {2, 1, 4, 5}));
    });
    check_throws(ErrorKind::internal, "expected plain fp32", [&] {
      recording.forward(r.make("images", {2, 1, 4, 4}, DType::f32, Layout::blocked));
    });
  }
}

TEST_CASE("network: two parameters of one name are refused") {
  Graph g({1, 1, 4, 4});
  const Value x = g.add("same", op::Conv{4, {}}, {0});
  g.add("same", op::Linear{2, true}, {x});
  check_throws(ErrorKind::usage, "'same.weight'", [&] { Network network(g, cpu()); });
}

}  // namespace inocula::test
