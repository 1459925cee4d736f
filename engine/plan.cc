// Lifetimes and offsets.
#include "engine/plan.h"

#include <algorithm>
#include <numeric>

#include "engine/error.h"

namespace inocula {

namespace {

constexpr std::size_t kNever = static_cast<std::size_t>(-1);

std::size_t align(std::size_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

std::vector<Lifetime> find_lifetimes(const std::vector<PlannedTensor>& tensors,
                                     const std::vector<StepUse>& steps, const std::vector<LoopRange>& loops) {
  std::vector<Lifetime> lives(tensors.size(), Lifetime{kNever, 0});
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const std::int32_t t : steps[s].reads)
      if (lives[t].first == kNever && !tensors[t].external)
        fail(ErrorKind::internal, "plan_memory: step ", s, " reads '", tensors[t].name,
             "' before it was written");
    for (const auto* touched : {&steps[s].reads, &steps[s].writes})
      for (const std::int32_t t : *touched) {
        lives[t].first = std::min(lives[t].first, s);
        lives[t].last = std::max(lives[t].last, s);
      }
  }
  // Whatever enters a loop must survive its last turn. Inner loops are later in the list; an extension by an
  // inner loop can reach into an outer one, which is then handled too because outer ranges contain inner
  // ones.
  for (const LoopRange& loop : loops)
    for (std::size_t s = loop.begin; s < loop.end; ++s)
      for (const auto* touched : {&steps[s].reads, &steps[s].writes})
        for (const std::int32_t t : *touched)
          if (lives[t].first < loop.begin) lives[t].last = std::max(lives[t].last, loop.end - 1);
  for (std::size_t t = 0; t < tensors.size(); ++t)
    if (tensors[t].permanent && lives[t].first != kNever) lives[t] = {0, steps.size() - 1};
  return lives;
}

struct Piece {
  std::size_t bytes;
  Lifetime life;
  std::size_t* offset;
};

bool overlap(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

/// Largest first, each at the lowest offset that is free during its whole life.
std::size_t place(std::vector<Piece>& pieces) {
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.bytes > b.bytes; });
  std::size_t arena = 0;
  std::vector<const Piece*> neighbours;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    neighbours.clear();
    for (std::size_t j = 0; j < i; ++j)
      if (overlap(pieces[i].life, pieces[j].life)) neighbours.push_back(&pieces[j]);
    std::sort(neighbours.begin(), neighbours.end(),
              [](const Piece* a, const Piece* b) { return *a->offset < *b->offset; });
    std::size_t offset = 0;
    for (const Piece* n : neighbours) {
      if (offset + pieces[i].bytes <= *n->offset) break;
      offset = std::max(offset, *n->offset + n->bytes);
    }
    *pieces[i].offset = offset;
    arena = std::max(arena, offset + pieces[i].bytes);
  }
  return arena;
}

}  // namespace

MemoryPlan plan_memory(const std::vector<PlannedTensor>& tensors, const std::vector<StepUse>& steps,
                       const std::vector<LoopRange>& loops) {
  MemoryPlan plan;
  plan.lifetimes = find_lifetimes(tensors, steps, loops);
  plan.offsets.assign(tensors.size(), 0);
  plan.scratch_offsets.assign(steps.size(), 0);

  std::vector<Piece> pieces;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    if (!tensors[t].external && plan.lifetimes[t].first != kNever)
      pieces.push_back({align(tensors[t].bytes), plan.lifetimes[t], &plan.offsets[t]});
  for (std::size_t s = 0; s < steps.size(); ++s)
    if (steps[s].scratch_bytes > 0)
      pieces.push_back({align(steps[s].scratch_bytes), {s, s}, &plan.scratch_offsets[s]});

  plan.arena_bytes = place(pieces);
  plan.sum_bytes = std::accumulate(pieces.begin(), pieces.end(), std::size_t{0},
                                   [](std::size_t sum, const Piece& p) { return sum + p.bytes; });
  return plan;
}

}  // namespace inocula
