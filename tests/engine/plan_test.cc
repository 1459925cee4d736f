// The memory planner against a replay of random programs that watches every piece of memory.
#include "engine/plan.h"

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <vector>

#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

constexpr int kRandomPrograms = 12000;

struct RandomProgram {
  std::vector<PlannedTensor> tensors;
  std::vector<StepUse> steps;
  std::vector<LoopRange> loops;
};

/// Whatever a recording can produce: nested loops, updates, external and permanent tensors, scratch. A step
/// reads only what an earlier one wrote, in program order.
RandomProgram random_program(std::mt19937& g) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(g() % n); };
  RandomProgram p;
  const std::size_t tensors = 2 + below(14), steps = 1 + below(24);
  for (std::size_t t = 0; t < tensors; ++t) {
    const std::size_t kind = below(10);
    p.tensors.push_back({"t" + std::to_string(t), 1 + below(700), kind == 0, kind == 1});
  }
  std::vector<std::int32_t> readable;
  for (std::size_t t = 0; t < tensors; ++t)
    if (p.tensors[t].external) readable.push_back(static_cast<std::int32_t>(t));
  for (std::size_t s = 0; s < steps; ++s) {
    StepUse use;
    for (std::size_t i = below(4); i > 0 && !readable.empty(); --i) {
      const std::int32_t t = readable[below(readable.size())];
      if (std::find(use.reads.begin(), use.reads.end(), t) == use.reads.end()) use.reads.push_back(t);
    }
    for (std::size_t i = below(3); i > 0; --i) {
      const auto t = static_cast<std::int32_t>(below(tensors));
      const bool read_here = std::find(use.reads.begin(), use.reads.end(), t) != use.reads.end();
      const bool first_write = std::find(readable.begin(), readable.end(), t) == readable.end();
      if (std::find(use.writes.begin(), use.writes.end(), t) != use.writes.end() ||
          (read_here && first_write))
        continue;
      use.writes.push_back(t);
    }
    for (const std::int32_t t : use.writes)
      if (std::find(readable.begin(), readable.end(), t) == readable.end()) readable.push_back(t);
    if (below(3) == 0) use.scratch_bytes = 1 + below(500);
    p.steps.push_back(use);
  }
  // Loops as Recorder::loop lists them: an outer one before those inside it.
  const std::function<void(std::size_t, std::size_t, int)> add_loops = [&](std::size_t begin, std::size_t end,
                                                                           int depth) {
    while (begin < end && depth < 3) {
      const std::size_t first = begin + below(end - begin), last = first + 1 + below(end - first);
      if (below(3) > 0) {
        p.loops.push_back({first, last, 1 + static_cast<std::int64_t>(below(3))});
        add_loops(first, last, depth + 1);
      }
      begin = last;
    }
  };
  add_loops(0, steps, 0);
  return p;
}

/// The steps in the order in which they run, loops counted out.
void each_run_step(const RandomProgram& p, const std::function<void(std::size_t)>& visit) {
  const std::function<void(std::size_t, std::size_t, std::size_t)> walk =
      [&](std::size_t begin, std::size_t end, std::size_t loop) {
        for (std::size_t s = begin; s < end;) {
          std::size_t l = loop;
          while (l < p.loops.size() && p.loops[l].begin < s) ++l;
          if (l < p.loops.size() && p.loops[l].begin == s && p.loops[l].end <= end) {
            for (std::int64_t turn = 0; turn < p.loops[l].count; ++turn) walk(s, p.loops[l].end, l + 1);
            s = p.loops[l].end;
            loop = l + 1;
          } else {
            visit(s++);
          }
        }
      };
  walk(0, p.steps.size(), 0);
}

/// Who wrote each byte of the arena last.
class Watched {
 public:
  explicit Watched(std::size_t bytes) : owner_(bytes, kNobody) {}

  bool holds(std::size_t offset, std::size_t bytes, std::int32_t owner) const {
    return offset + bytes <= owner_.size() &&
           std::all_of(owner_.begin() + static_cast<std::ptrdiff_t>(offset),
                       owner_.begin() + static_cast<std::ptrdiff_t>(offset + bytes),
                       [&](std::int32_t o) { return o == owner; });
  }
  bool write(std::size_t offset, std::size_t bytes, std::int32_t owner) {
    if (offset + bytes > owner_.size()) return false;
    std::fill_n(owner_.begin() + static_cast<std::ptrdiff_t>(offset), bytes, owner);
    return true;
  }

 private:
  static constexpr std::int32_t kNobody = -2;
  std::vector<std::int32_t> owner_;
};

constexpr std::int32_t kScratch = -1;

/// Replays a program twice over its plan; answers what went wrong, or nothing.
std::string find_fault(const RandomProgram& p, const MemoryPlan& plan) {
  Watched memory(plan.arena_bytes);
  std::string fault;
  std::set<std::int32_t> permanents;
  const auto at = [&](std::size_t s, const char* what, std::int32_t t) {
    if (fault.empty()) fault = "step " + std::to_string(s) + ": " + what + " of tensor " + std::to_string(t);
  };
  const auto planned = [&](std::int32_t t) { return !p.tensors[static_cast<std::size_t>(t)].external; };
  const auto place = [&](std::int32_t t) { return plan.offsets[static_cast<std::size_t>(t)]; };
  const auto bytes = [&](std::int32_t t) { return p.tensors[static_cast<std::size_t>(t)].bytes; };
  for (int run = 0; run < 2; ++run)
    each_run_step(p, [&](std::size_t s) {
      const StepUse& use = p.steps[s];
      // All at once: what a step reads, writes and scratches is alive while it runs.
      if (use.scratch_bytes > 0 && !memory.write(plan.scratch_offsets[s], use.scratch_bytes, kScratch))
        at(s, "scratch outside the arena", -1);
      for (const std::int32_t t : use.writes)
        if (planned(t) && std::find(use.reads.begin(), use.reads.end(), t) == use.reads.end() &&
            !memory.write(place(t), bytes(t), t))
          at(s, "a write outside the arena", t);
      if (use.scratch_bytes > 0 && !memory.holds(plan.scratch_offsets[s], use.scratch_bytes, kScratch))
        at(s, "a write into the scratch", -1);
      for (const auto* touched : {&use.reads, &use.writes})
        for (const std::int32_t t : *touched) {
          if (!planned(t)) continue;
          if (!memory.holds(place(t), bytes(t), t)) at(s, "lost contents", t);
          if (p.tensors[static_cast<std::size_t>(t)].permanent) permanents.insert(t);
        }
      for (const std::int32_t t : permanents)
        if (!memory.holds(place(t), bytes(t), t)) at(s, "lost contents of permanent", t);
    });
  return fault;
}

MemoryPlan plan_of(const RandomProgram& p) {
  return plan_memory(p.tensors, p.steps, p.loops);
}

}  // namespace

TEST_CASE("plan: in random programs every read finds what was written last") {
  std::mt19937 generator(20240601);
  std::size_t shared = 0, looped = 0;
  for (int i = 0; i < kRandomPrograms; ++i) {
    const RandomProgram p = random_program(generator);
    const MemoryPlan plan = plan_of(p);
    const std::string fault = find_fault(p, plan);
    REQUIRE_MESSAGE(fault.empty(), "program ", i, ": ", fault);
    REQUIRE(plan.arena_bytes <= plan.sum_bytes);
    shared += plan.arena_bytes < plan.sum_bytes ? 1 : 0;
    looped += p.loops.empty() ? 0 : 1;

    struct Piece {
      std::size_t offset, end;
      Lifetime life;
    };
    std::vector<Piece> pieces;
    for (std::size_t t = 0; t < p.tensors.size(); ++t)
      if (!p.tensors[t].external && plan.lifetimes[t].first <= plan.lifetimes[t].last)
        pieces.push_back({plan.offsets[t], plan.offsets[t] + p.tensors[t].bytes, plan.lifetimes[t]});
    for (std::size_t s = 0; s < p.steps.size(); ++s)
      if (p.steps[s].scratch_bytes > 0)
        pieces.push_back(
            {plan.scratch_offsets[s], plan.scratch_offsets[s] + p.steps[s].scratch_bytes, {s, s}});
    for (const Piece& a : pieces) {
      REQUIRE(a.offset % kArenaAlignment == 0);
      REQUIRE(a.end <= plan.arena_bytes);
      for (const Piece& b : pieces) {
        if (&a == &b || a.life.last < b.life.first || b.life.last < a.life.first) continue;
        REQUIRE((a.end <= b.offset || b.end <= a.offset));
      }
    }
  }
  // The generator must not have become harmless.
  CHECK(shared > kRandomPrograms / 4);
  CHECK(looped > kRandomPrograms / 4);
}

TEST_CASE("plan: the replay finds a plan that is wrong") {
  std::mt19937 generator(7);
  int found = 0, tried = 0;
  while (tried < 200) {
    const RandomProgram p = random_program(generator);
    MemoryPlan plan = plan_of(p);
    if (std::count_if(p.tensors.begin(), p.tensors.end(),
                      [](const PlannedTensor& t) { return !t.external; }) < 4)
      continue;
    std::fill(plan.offsets.begin(), plan.offsets.end(), std::size_t{0});  // everybody at one place
    tried += 1;
    found += find_fault(p, plan).empty() ? 0 : 1;
  }
  CHECK(found > tried / 2);
}

TEST_CASE("plan: a chain of equal tensors needs two of them") {
  constexpr std::size_t kBytes = 5 * kArenaAlignment;
  RandomProgram p;
  for (std::int32_t t = 0; t < 10; ++t) {
    p.tensors.push_back({"t", kBytes});
    p.steps.push_back({t == 0 ? std::vector<std::int32_t>{} : std::vector<std::int32_t>{t - 1}, {t}, 0});
  }
  CHECK(plan_of(p).arena_bytes == 2 * kBytes);
  CHECK(plan_of(p).sum_bytes == 10 * kBytes);
}

TEST_CASE("plan: what enters a loop lives through it, what is made inside does not") {
  RandomProgram p;
  p.tensors = {{"enters", 64}, {"inside", 64}, {"late", 64}};
  p.steps = {{{}, {0}, 0}, {{0}, {1}, 0}, {{1}, {}, 0}, {{}, {2}, 0}, {{2}, {}, 0}};
  p.loops = {{1, 5, 2}};
  const MemoryPlan plan = plan_of(p);
  CHECK(plan.lifetimes[0].last == 4);
  CHECK(plan.lifetimes[1].first == 1);
  CHECK(plan.lifetimes[1].last == 2);
  CHECK(plan.arena_bytes == 2 * kArenaAlignment);  // "inside" and "late" share
}

TEST_CASE("plan: an inner loop inside an outer one extends to both") {
  RandomProgram p;
  p.tensors = {{"of the outer", 64}, {"of nobody", 64}};
  p.steps = {{{}, {0}, 0}, {{0}, {}, 0}, {{}, {}, 0}, {{}, {}, 0}, {{}, {1}, 0}};
  p.loops = {{1, 4, 2}, {1, 3, 2}};
  CHECK(plan_of(p).lifetimes[0].last == 3);
  p.loops = {{0, 4, 2}, {1, 3, 2}};  // made in the outer loop's every turn: only the inner one extends it
  CHECK(plan_of(p).lifetimes[0].last == 2);
}

TEST_CASE("plan: permanent tensors share with nothing") {
  RandomProgram p;
  p.tensors = {{"kept", 64, false, true}, {"a", 64}, {"b", 64}};
  p.steps = {{{}, {1}, 0}, {{1}, {}, 0}, {{}, {0}, 0}, {{0}, {2}, 0}, {{2}, {}, 0}};
  const MemoryPlan plan = plan_of(p);
  CHECK(plan.lifetimes[0].first == 0);
  CHECK(plan.lifetimes[0].last == 4);
  CHECK(plan.arena_bytes == 2 * kArenaAlignment);
}

TEST_CASE("plan: external and unused tensors take no memory") {
  RandomProgram p;
  p.tensors = {{"external", 1 << 20, true}, {"unused", 1 << 20}, {"used", 100}};
  p.steps = {{{0}, {2}, 0}, {{2}, {0}, 0}};
  CHECK(plan_of(p).arena_bytes == kArenaAlignment);
  CHECK(plan_of(p).sum_bytes == kArenaAlignment);
  CHECK(plan_memory({}, {}, {}).arena_bytes == 0);
}

TEST_CASE("plan: reading before writing is refused") {
  RandomProgram p;
  p.tensors = {{"early", 64}};
  p.steps = {{{}, {}, 0}, {{0}, {}, 0}, {{}, {0}, 0}};
  check_throws(ErrorKind::internal, "step 1 reads 'early' before it was written", [&] { plan_of(p); });
  p.steps = {{{0}, {0}, 0}};  // an update counts as a read
  check_throws(ErrorKind::internal, "step 0 reads 'early'", [&] { plan_of(p); });
  p.steps = {{{}, {}, 0}, {{0}, {}, 0}, {{}, {0}, 0}};
  p.loops = {{0, 3, 5}};  // a later turn does not help the first
  check_throws(ErrorKind::internal, "before it was written", [&] { plan_of(p); });
}

}  // namespace inocula::test
