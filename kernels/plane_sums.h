// Sums over the pixels of a plane, one per channel, whatever the block.
#pragma once

#include <cstdint>

#include "kernels/for_each.h"
#include "kernels/lanes.h"
#include "kernels/planes.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// A plane's share of one team: up to 16 of the channels that lie side by side.
struct PlaneLanes {
  std::int64_t plane = 0;    ///< which plane
  std::int64_t channel = 0;  ///< first channel, counted through the blocks with their padding
  std::int64_t sample = 0;
  std::int64_t offset = 0;  ///< of the first pixel's first lane in the activation
  int lanes = 1;
};

/// How many teams share an activation's sums.
INOCULA_HD inline std::int64_t plane_lane_rows(const PlaneShape& shape) {
  return shape.planes() * lane_groups(shape.block);
}

INOCULA_HD inline PlaneLanes plane_lanes(const PlaneShape& shape, std::int64_t row) {
  // An activation has fewer than 2^32 planes and groups of lanes; 32-bit divisions are many times faster.
  const auto groups = static_cast<std::uint32_t>(lane_groups(shape.block));
  const auto plane = static_cast<std::uint32_t>(row) / groups;
  PlaneLanes part;
  part.plane = plane;
  const std::int64_t first_lane = (row - part.plane * groups) * kMaxLanes;
  part.sample = plane / static_cast<std::uint32_t>(shape.blocks());
  part.channel = (part.plane - part.sample * shape.blocks()) * shape.block + first_lane;
  part.offset = part.plane * shape.plane_size() + first_lane;
  part.lanes = lanes_from(first_lane, shape.block);
  return part;
}

/// Sums one or two functions f(i, l), floats, over the elements i of each lane l's channel in this plane by a
/// fixed tree, and calls done(l, double…); the whole team sees afterwards what `done` wrote.
template <class Done, class... F>
INOCULA_DEVICE void sum_plane(const Team& team, const PlaneShape& shape, const PlaneLanes& part,
                              const Done& done, const F&... f) {
  const std::int64_t offset = part.offset;
  if (shape.block == 1) {
    const std::int64_t pixels = shape.pixels();
    const auto sum = [&](const auto& term) {
      return team.sum(pixels, [&](std::int64_t p) { return term(offset + p, 0); });
    };
    if constexpr (sizeof...(F) == 1) {
      const double total = sum(f...);
      if (team.leads()) done(0, total);
    } else {
      // Braces fix the order; a function's arguments have none, and on the GPU the team must keep in step.
      const double total[] = {sum(f)...};
      if (team.leads()) done(0, total[0], total[1]);
    }
    team.barrier();
    return;
  }
  const std::int64_t block = shape.block;
  sum_lanes(team, part.lanes, shape.pixels(), done,
            [&](std::int64_t p, int l) { return f(offset + p * block + l, l); }...);
}

/// The sums over planes, vectors (batch, padded channels), put together: each of lane_groups(padded channels)
/// teams sums one or two functions f(i, l) over the elements i of up to 16 channels from `first` on and calls
/// done(l, double…), by the tree of sum_lanes.
template <class Done, class... F>
INOCULA_DEVICE void sum_samples(const Team& team, const PlaneShape& shape, std::int64_t first,
                                const Done& done, const F&... f) {
  const std::int64_t channels = shape.padded_channels();
  sum_lanes(team, lanes_from(first, channels), shape.batch, done,
            [&](std::int64_t n, int l) { return f(n * channels + first + l, l); }...);
}

INOCULA_END_TARGET
