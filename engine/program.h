// A recorded list of steps with all memory in place: replayed for ever, nothing is allocated or looked up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/plan.h"

namespace inocula {

/// What a Program needs in memory, known before its first run.
struct Footprint {
  std::size_t arena_bytes = 0;  ///< one allocation for everything planned
  std::size_t sum_bytes = 0;    ///< what the tensors would take without sharing
  std::size_t steps = 0;        ///< recorded
  std::size_t launches = 0;     ///< executed in one run at most: loops counted out
  struct Item {
    std::string name;
    std::size_t bytes = 0;
    std::size_t first = 0, last = 0;  ///< steps between which it lives
  };
  std::vector<Item> items;  ///< planned tensors, largest first

  /// A table for humans: totals and the largest tensors.
  std::string to_string() const;
};

/// Time spent in steps of one name.
struct PartTime {
  std::string name;
  std::int64_t count = 0;  ///< launches
  double seconds = 0;
};

/// Steps that depend on parameters alone (Recorder::preparation): done in every run, or kept from an earlier
/// one.
enum class Preparation { repeated, kept };

/// A whole pass of a batch through a network.
enum class WholePass : std::uint8_t { none, forward, backward };
struct PassCount {
  std::int64_t forward = 0, backward = 0;
};

class Program {
 public:
  Program() = default;

  /// Runs every step once, in order. With Preparation::kept, which needs a Program finished with it and a run
  /// before, the preparation is skipped: its results are still there.
  void run(Preparation preparation = Preparation::repeated);
  /// The same step by step, timing each launch; parts by name, the most expensive first.
  std::vector<PartTime> run_timed();

  Footprint footprint() const;
  /// Those of all runs so far, timed ones left out.
  PassCount passes() const { return passes_; }
  /// Overwrites all planned memory with quiet NaNs: what a Program computes must not depend on leftovers.
  void poison();

 private:
  friend class Recorder;
  struct Step {
    std::string name;
    Launch launch;
    bool prepares = false;
    WholePass begins = WholePass::none;
  };

  /// Where a loop's `done` lies; no address where it has none.
  struct LoopEnd {
    const std::byte* memory = nullptr;
    std::size_t count = 0;
  };

  /// What a backend took down of the steps: launches that it starts as one, or a loop, turn by turn.
  struct Segment {
    std::unique_ptr<Replay> replay;
    PassCount passes;  ///< of the replay
    std::size_t loop = 0;
    std::vector<Segment> turn;  ///< of the loop, where there is no replay
  };
  using Segments = std::vector<Segment>;

  /// Everything is in place: lets the backend take the steps down, with the preparation and without.
  void capture();
  /// Adds steps [begin, end), as in visit; loops that are long or may end early stay loops. False where the
  /// backend runs steps one by one.
  bool take_down(std::size_t begin, std::size_t end, std::size_t loop, Preparation preparation,
                 Segments& to) const;
  /// Whether loop number l is started turn by turn; as one it would be too much to hold, or could not end
  /// early.
  bool stays_loop(std::size_t l) const;
  void replay(const Segments& segments);
  /// `more` says whether another turn of loop number l is due.
  template <class Visit, class More>
  void visit(std::size_t begin, std::size_t end, std::size_t loop, const Visit& visit,
             const More& more) const;
  /// Moves `loop` on to the first that starts at step s or later; whether it starts there and ends by `end`.
  bool starts_loop(std::size_t s, std::size_t end, std::size_t& loop) const;
  /// Whether a run does not repeat the step: what it prepared is kept.
  static bool is_left_out(const Step& step, Preparation preparation) {
    return preparation == Preparation::kept && step.prepares;
  }
  /// Whether somebody in loop number l is not done: looked up on the device.
  bool is_due(std::size_t l);
  static void count(const Step& step, PassCount& passes) {
    passes.forward += step.begins == WholePass::forward ? 1 : 0;
    passes.backward += step.begins == WholePass::backward ? 1 : 0;
  }

  const Device* device_ = nullptr;
  bool keeps_preparation_ = false;
  bool prepared_ = false;
  PassCount passes_;
  std::vector<Step> steps_;
  std::vector<LoopRange> loops_;
  std::vector<LoopEnd> ends_;       ///< by loop
  std::vector<std::int32_t> done_;  ///< room for the largest of them
  std::vector<PlannedTensor> tensors_;
  std::vector<std::shared_ptr<const void>> kept_;
  MemoryPlan plan_;
  Buffer arena_;
  Segments whole_, without_preparation_;  ///< empty where steps are run one by one
};

}  // namespace inocula
