// What a stand-in for a GPU has taken down: launches, each with a copy of its arguments.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/table.h"

namespace inocula::test {

/// As a CUDA graph's nodes are: a function and its arguments' bytes. What the host did around a launch, and
/// what it would read anew in a later step, is not there.
class Tape {
 public:
  /// The one that launches of this thread go to; null: they run at once.
  static Tape* current();

  template <class Args>
  void add(void (*function)(const Queue&, const Args&), const Args& args) {
    static_assert(std::is_trivially_copyable_v<Args>, "a graph copies bytes");
    nodes_.push_back(std::make_unique<NodeOf<Args>>(function, args));
  }
  std::size_t size() const { return nodes_.size(); }
  void play(const Queue& queue) const {
    for (const std::unique_ptr<Node>& node : nodes_) node->run(queue);
  }

 private:
  struct Node {
    virtual ~Node() = default;
    virtual void run(const Queue&) const = 0;
  };
  template <class Args>
  struct NodeOf final : Node {
    NodeOf(void (*f)(const Queue&, const Args&), const Args& a) : function(f), args(a) {}
    void run(const Queue& queue) const override { function(queue, args); }
    void (*function)(const Queue&, const Args&);
    Args args;
  };

  std::vector<std::unique_ptr<Node>> nodes_;
};

/// What a Queue's stream may stand for: launches go to the tape that is in it.
struct TapedStream {
  Tape* tape = nullptr;
};

/// Makes a tape the current one.
class Taping {
 public:
  explicit Taping(Tape& tape);
  ~Taping();
  Taping(const Taping&) = delete;
  Taping& operator=(const Taping&) = delete;
};

/// As a stream takes a launch: into a graph where one is being captured, else to be done.
template <class Args>
void enqueue(void (*function)(const Queue&, const Args&), const Queue& queue, const Args& args) {
  auto* const stream = static_cast<TapedStream*>(queue.stream);
  if (Tape* const tape = stream != nullptr ? stream->tape : Tape::current())
    tape->add(function, args);
  else
    function(queue, args);
}

/// A function of a test's own as the kernels of the table are.
template <class Args, void (*kFunction)(const Queue&, const Args&)>
void enqueued(const Queue& queue, const Args& args) {
  enqueue(kFunction, queue, args);
}

/// The CPU's kernels behind `enqueue`.
const KernelTable& taped_kernels();

}  // namespace inocula::test
