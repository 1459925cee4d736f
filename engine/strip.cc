// Choosing a strip and its slices.
#include "engine/strip.h"

#include <algorithm>
#include <cmath>

namespace inocula {

namespace {

/// What a thread's part of an activation may take of its core's cache: the layer's weights and its scratch
/// want most of it, the activation that is read, the one that is written and a residual the rest.
constexpr double kShareOfCache = 0.1;

/// Of one image.
double activation_bytes(const Device& device, const Graph& graph, Value v, Element element) {
  const Shape& s = graph.node(v).shape;
  if (layout_of(graph, v) == Layout::plain) return static_cast<double>(PlaneShape{1, s.c, s.h, s.w}.bytes());
  const std::int64_t block = device.backend().block(s.c, element);
  return static_cast<double>(PlaneShape{1, s.c, s.h, s.w, block, element}.bytes());
}

double weight_bytes(const Graph& graph, const NodeGroup& group, Element element) {
  if (group.conv < 0) return 0;
  const ConvGeometry g = conv_geometry(graph, graph.node(group.conv), 1, element);
  return static_cast<double>(g.out.c * g.in.c / g.groups * g.window.kernel_h * g.window.kernel_w) *
         static_cast<double>(element_bytes(element));
}

/// Convolutions behind which one value is alive, their own. The last group is none: nothing comes after it.
std::vector<std::size_t> find_cuts(const Graph& graph, const std::vector<NodeGroup>& groups) {
  std::vector<std::size_t> last_reader(graph.nodes().size(), 0);
  for (std::size_t i = 0; i < groups.size(); ++i)
    for (const Value v : groups[i].inputs) last_reader[static_cast<std::size_t>(v)] = i;
  std::vector<std::size_t> cuts;
  std::size_t reach = last_reader[0];  // of the values before a group's own
  for (std::size_t i = 0; i + 1 < groups.size(); ++i) {
    if (groups[i].conv >= 0 && reach <= i) cuts.push_back(i);
    reach = std::max(reach, last_reader[static_cast<std::size_t>(groups[i].output)]);
  }
  return cuts;
}

}  // namespace

Strip find_strip(const Device& device, const Graph& graph, const std::vector<NodeGroup>& groups,
                 Element element, std::int64_t batch) {
  const auto cache = static_cast<double>(device.backend().core_cache_bytes());
  const auto threads = static_cast<double>(device.threads());
  const double share = kShareOfCache * cache;

  Strip strip;
  double largest = 0, largest_in_strip = 0;
  std::size_t seen = 0;
  for (const std::size_t cut : find_cuts(graph, groups)) {
    double weights = 0;
    for (; seen <= cut; ++seen) {
      largest = std::max(largest, activation_bytes(device, graph, groups[seen].output, element));
      weights = std::max(weights, weight_bytes(graph, groups[seen], element));
    }
    // What a layer reads and writes stays in the caches anyway, or every slice would read larger weights than
    // activations.
    const double value = activation_bytes(device, graph, groups[cut].output, element);
    if (2 * static_cast<double>(batch) * value <= threads * cache || weights > share) break;
    strip.groups = cut + 1;
    largest_in_strip = largest;
  }
  if (strip.groups == 0) return {};

  const auto wished =
      static_cast<std::int64_t>(threads * std::max(1.0, std::round(share / largest_in_strip)));
  strip.images = std::min(wished, batch);
  while (batch % strip.images != 0) --strip.images;
  // Threads share few images badly, and one slice is the batch.
  const bool few = strip.images < device.threads() || 2 * strip.images < wished;
  return few || strip.images == batch ? Strip{} : strip;
}

}  // namespace inocula
