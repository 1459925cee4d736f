// The small plain network as data.
#include "models/small_cnn.h"

#include <string>

#include "engine/error.h"

namespace inocula::models {

Graph small_cnn(const SmallCnnSpec& spec) {
  if (spec.classes < 2)
    fail(ErrorKind::usage, "small_cnn: classes is ", spec.classes, ", expected at least 2");
  if (spec.width < 1 || spec.width > kMostWidth)
    fail(ErrorKind::usage, "small_cnn: width is ", spec.width, ", expected 1 to ", kMostWidth);
  Graph g = start_graph(spec.input);
  Value x = g.output();
  int index = 0;
  const auto name = [&] { return "features." + std::to_string(index++); };
  for (int stage = 0; stage < 3; ++stage) {
    const ConvWindow window{.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1};
    x = g.add(name(),
              op::Conv{.out_channels = spec.width << stage, .window = window, .groups = 1, .bias = true},
              {x});
    x = g.add(name(), op::Relu{}, {x});
    if (stage < 2)
      x = g.add(name(), op::MaxPool{{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}}, {x});
  }
  g.add("classifier", op::Linear{spec.classes, true}, {x});
  return g;
}

}  // namespace inocula::models
