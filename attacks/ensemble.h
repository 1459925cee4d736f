// Attacks of several stages: restarts, the targets of Auto-PGD and FAB one after the other, and the
// ensembles.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "attacks/apgd.h"
#include "attacks/stages.h"

namespace inocula::attacks {

/// Targets that Auto-PGD and FAB try one after the other, at most (Croce and Hein's number).
inline constexpr std::int64_t kMostTargets = 9;

/// One stage a restart, each with random numbers of its own, on the images that are still right.
template <class Attack>
std::vector<Stage> restarted(const Attack& attack, std::int64_t restarts) {
  std::vector<Stage> stages;
  for (std::int64_t restart = 0; restart < restarts; ++restart)
    stages.push_back({std::make_unique<Attack>(attack), static_cast<std::uint32_t>(restart), true});
  return stages;
}

/// One stage for each of the `targets` likeliest other classes, as many as there are: with loss the targeted
/// DLR, or, for fewer than four classes, which it is not defined for, the margin to the target.
std::vector<Stage> apgd_targeted_stages(const ApgdSpec& spec, std::int64_t targets, std::int64_t restarts,
                                        std::int64_t classes);

}  // namespace inocula::attacks
