// Grouping nodes.
#include "engine/fuse.h"

#include <algorithm>

namespace inocula {

namespace {

class Grouper {
 public:
  Grouper(const Graph& graph, NormMode mode) : graph_(graph), mode_(mode), readers_(graph.nodes().size()) {
    for (Value v = 0; v < static_cast<Value>(graph.nodes().size()); ++v)
      for (const Value input : graph.node(v).inputs) readers_[input].push_back(v);
  }

  std::vector<NodeGroup> run() {
    std::vector<bool> taken(graph_.nodes().size(), false);
    std::vector<NodeGroup> groups;
    for (Value v = 1; v < static_cast<Value>(graph_.nodes().size()); ++v) {
      if (taken[v]) continue;
      NodeGroup group = start(v);
      extend(group);
      for (const Value member : {group.conv, group.norm, group.add, group.relu, group.other})
        if (member >= 0) taken[member] = true;
      groups.push_back(group);
    }
    std::stable_sort(groups.begin(), groups.end(),
                     [](const NodeGroup& a, const NodeGroup& b) { return a.output < b.output; });
    return groups;
  }

 private:
  template <class Op>
  bool is(Value v) const {
    return std::holds_alternative<Op>(graph_.node(v).operation);
  }

  NodeGroup start(Value v) const {
    NodeGroup g;
    if (is<op::Conv>(v))
      g.conv = v;
    else if (is<op::BatchNorm>(v))
      g.norm = v;
    else if (is<op::Add>(v))
      g.add = v;
    else if (is<op::Relu>(v))
      g.relu = v;
    else
      g.other = v;
    g.inputs = graph_.node(v).inputs;
    g.output = v;
    return g;
  }

  /// The only reader of a value, or -1.
  Value sole_reader(Value v) const {
    return v != graph_.output() && readers_[v].size() == 1 ? readers_[v].front() : -1;
  }

  void extend(NodeGroup& g) const {
    if (g.other >= 0) return;
    for (Value next = sole_reader(g.output); next >= 0; next = sole_reader(g.output)) {
      if (is<op::BatchNorm>(next) && g.conv >= 0 && g.norm < 0 && g.add < 0 && g.relu < 0 &&
          mode_ == NormMode::frozen)
        g.norm = next;
      else if (is<op::Add>(next) && g.add < 0 && g.relu < 0 && may_add(g, next))
        g.inputs.push_back(other_input(next, g.output)), g.add = next;
      else if (is<op::Relu>(next) && g.relu < 0)
        g.relu = next;
      else
        return;
      g.output = next;
    }
  }

  Value other_input(Value add, Value one) const {
    const std::vector<Value>& in = graph_.node(add).inputs;
    return in[0] == one ? in[1] : in[0];
  }

  /// Two branches meet in a sum; the one whose last node comes later takes it, when the other is there
  /// already.
  bool may_add(const NodeGroup& g, Value add) const {
    const bool mathematics = g.norm >= 0 || g.conv >= 0;
    // A convolution before batch statistics belongs to the norm that follows, not to a sum.
    return mathematics && other_input(add, g.output) < g.output;
  }

  const Graph& graph_;
  NormMode mode_;
  std::vector<std::vector<Value>> readers_;
};

}  // namespace

std::vector<NodeGroup> fuse(const Graph& graph, NormMode mode) {
  return Grouper(graph, mode).run();
}

}  // namespace inocula
