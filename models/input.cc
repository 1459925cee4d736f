// The first two nodes of every model.
#include "models/input.h"

#include "engine/error.h"

namespace inocula::models {

Graph start_graph(const InputSpec& input) {
  if (input.channels < 1 || input.height < 1 || input.width < 1)
    fail(ErrorKind::usage, "model input is ", input.channels, " x ", input.height, " x ", input.width,
         ", expected positive numbers");
  Graph graph({1, input.channels, input.height, input.width});
  const std::vector<float> half(static_cast<std::size_t>(input.channels), 0.5f);
  graph.add("normalize",
            op::Normalize{input.mean.empty() ? half : input.mean, input.std.empty() ? half : input.std}, {0});
  return graph;
}

}  // namespace inocula::models
