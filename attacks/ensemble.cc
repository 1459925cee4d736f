// Lists of stages.
#include "attacks/ensemble.h"

#include <algorithm>
#include <memory>

namespace inocula::attacks {

namespace {

/// DLR with a target compares the four largest logits.
constexpr std::int64_t kDlrClasses = 4;

template <class Attack>
Stage stage_of(const Attack& attack, std::int64_t restart) {
  return {std::make_unique<Attack>(attack), static_cast<std::uint32_t>(restart), true};
}

}  // namespace

std::vector<Stage> apgd_targeted_stages(const ApgdSpec& spec, std::int64_t targets, std::int64_t restarts,
                                        std::int64_t classes) {
  std::vector<Stage> stages;
  targets = std::min(targets, classes - 1);
  ApgdSpec of_target = spec;
  of_target.loss = classes >= kDlrClasses ? AttackLoss::dlr : AttackLoss::margin;
  for (std::int64_t restart = 0; restart < restarts; ++restart)
    for (std::int64_t target = 1; target <= targets; ++target) {
      of_target.target = {
          .targeted = true, .rule = TargetRule::likely, .given = static_cast<std::int32_t>(target)};
      // Other targets start elsewhere, as another restart does.
      stages.push_back(stage_of(Apgd(of_target, "apgd-t"), restart * targets + target - 1));
    }
  return stages;
}

}  // namespace inocula::attacks
