// The networks that engine tests run: every operation, awkward channel counts and sizes, every way values can
// meet.
#pragma once

#include <string>
#include <vector>

#include "engine/graph.h"

namespace inocula::test {

struct GraphCase {
  std::string name;
  Graph graph;
  std::int64_t batch = 3;
};

/// Each ends in logits and can be recorded.
std::vector<GraphCase> graph_cases();

/// Those with a batch norm, or those without one.
enum class Norms { without, with };
std::vector<GraphCase> graph_cases(Norms norms);

/// normalize, conv (bias), ReLU, linear: the least that has every pass.
Graph tiny_graph(const Shape& image, std::int64_t channels, std::int64_t classes);

/// A ResNet-18 for small images: channels 1, width 2 to 4 keeps it quick.
Graph small_resnet(const Shape& image, std::int64_t width, std::int64_t classes);

}  // namespace inocula::test
