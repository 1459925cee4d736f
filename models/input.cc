// The first two nodes of every model.
#include "models/input.h"

#include "engine/error.h"
#include "engine/source.h"

namespace inocula::models {

InputSpec with_normalisation(InputSpec input) {
  for (std::vector<float>* values : {&input.mean, &input.std})
    if (values->empty()) values->assign(static_cast<std::size_t>(input.channels), kUsualNormalisation);
  return input;
}

Graph start_graph(const InputSpec& input) {
  if (input.channels < 1 || input.height < 1 || input.width < 1)
    fail(ErrorKind::usage, "model input is ", input.channels, " x ", input.height, " x ", input.width,
         ", expected positive numbers");
  Graph graph({1, input.channels, input.height, input.width});
  const InputSpec complete = with_normalisation(input);
  graph.add("normalize", op::Normalize{complete.mean, complete.std}, {0});
  return graph;
}

}  // namespace inocula::models
