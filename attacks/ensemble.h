// Attacks of several stages: restarts, the targets of Auto-PGD and FAB one after the other, and the
// ensembles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attacks/apgd.h"
#include "attacks/stages.h"

namespace inocula::attacks {

/// Targets that Auto-PGD and FAB try one after the other, at most (Croce and Hein's number).
inline constexpr std::int64_t kMostTargets = 9;

/// One stage a restart.
std::vector<Stage> apgd_stages(const ApgdSpec& spec, const std::string& name, std::int64_t restarts);

/// One stage for each of the `targets` likeliest other classes, as many as there are: with loss the targeted
/// DLR, or, for fewer than four classes, which it is not defined for, the margin to the target.
std::vector<Stage> apgd_targeted_stages(const ApgdSpec& spec, std::int64_t targets, std::int64_t restarts,
                                        std::int64_t classes);

}  // namespace inocula::attacks
