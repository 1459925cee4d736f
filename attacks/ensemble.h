// Attacks of several stages: restarts, the targets of Auto-PGD and FAB one after the other, and the
// ensembles.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "attacks/apgd.h"
#include "attacks/fab.h"
#include "attacks/parts/norm.h"
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

/// What climbs towards a target: DLR, or, for fewer than four classes, which it is not defined for, the
/// margin.
AttackLoss targeted_loss(std::int64_t classes);

/// One stage for each of the `targets` likeliest other classes, as many as there are, with the targeted loss.
std::vector<Stage> apgd_targeted_stages(const ApgdSpec& spec, std::int64_t targets, std::int64_t restarts,
                                        std::int64_t classes);

/// One stage a restart; without a radius one for all, which keeps the nearest image: stages go on with the
/// images that are still right, and there every image that can be fooled is after the first.
std::vector<Stage> fab_stages(const FabSpec& spec, std::int64_t restarts);

/// One stage for each of the `targets` likeliest other classes, as many as there are; without a radius one
/// for all, which keeps the nearest image.
std::vector<Stage> fab_targeted_stages(const FabSpec& spec, std::int64_t targets, std::int64_t restarts,
                                       std::int64_t classes);

/// What the attacks of an ensemble share.
struct EnsembleSpec {
  Norm norm = Norm::linf;       ///< linf, l2 or l1
  double eps = 8.0 / 255;       ///< radius, in units of the pixel range [0, 1]; linf at most 1
  std::int64_t steps = 100;     ///< of Auto-PGD and FAB, at least 1
  std::int64_t queries = 5000;  ///< of the Square attack, at least 1; not in L1
};

enum class AutoAttackVersion { standard, plus, rand };

/// Croce, Hein, ICML 2020. standard: apgd-ce, apgd-t, fab-t, square; plus: apgd-ce and apgd-dlr with 5
/// restarts, fab with 5, square, apgd-t, fab-t; rand: apgd-ce and apgd-dlr. The authors' `rand` averages
/// gradients over 20 answers of a network that answers otherwise each time; ours answer alike. In L1
/// there is standard alone. Throws Error (usage) for another, and where there are fewer than ten classes, for
/// standard and plus look at the tenth likeliest.
std::vector<Stage> autoattack_stages(const EnsembleSpec& spec, AutoAttackVersion version,
                                     std::int64_t classes);

/// AA-K: `standard` for any number of classes, and the same from ten on. min(9, classes - 1) targets; what
/// needs more logits than there are is replaced: of three classes apgd-t climbs the margin and apgd-dlr comes
/// before it, of two apgd-t climbs the margin. In L1 with the authors' numbers for it, 5 restarts of apgd-ce
/// and 5 targets of apgd-t, but without Square, which is not there in L1.
std::vector<Stage> aa_k_stages(const EnsembleSpec& spec, std::int64_t classes);

}  // namespace inocula::attacks
