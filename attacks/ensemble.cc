// Lists of stages.
#include "attacks/ensemble.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>

#include "attacks/square.h"
#include "engine/error.h"

namespace inocula::attacks {

namespace {

/// DLR with a target compares the four largest logits.
constexpr std::int64_t kDlrClasses = 4;

template <class Attack>
Stage stage_of(const Attack& attack, std::int64_t restart) {
  return {std::make_unique<Attack>(attack), static_cast<std::uint32_t>(restart), true};
}

}  // namespace

AttackLoss targeted_loss(std::int64_t classes) {
  return classes >= kDlrClasses ? AttackLoss::dlr : AttackLoss::margin;
}

std::vector<Stage> apgd_targeted_stages(const ApgdSpec& spec, std::int64_t targets, std::int64_t restarts,
                                        std::int64_t classes) {
  std::vector<Stage> stages;
  targets = std::min(targets, classes - 1);
  ApgdSpec of_target = spec;
  of_target.loss = targeted_loss(classes);
  for (std::int64_t restart = 0; restart < restarts; ++restart)
    for (std::int64_t target = 1; target <= targets; ++target) {
      of_target.target = {
          .targeted = true, .rule = TargetRule::likely, .given = static_cast<std::int32_t>(target)};
      // Other targets start elsewhere, as another restart does.
      stages.push_back(stage_of(Apgd(of_target, "apgd-t"), restart * targets + target - 1));
    }
  return stages;
}

std::vector<Stage> fab_stages(const FabSpec& spec, std::int64_t restarts) {
  if (!std::isinf(spec.eps)) return restarted(Fab(spec), restarts);
  FabSpec all = spec;
  all.restarts = restarts;
  return restarted(Fab(all), 1);
}

std::vector<Stage> fab_targeted_stages(const FabSpec& spec, std::int64_t targets, std::int64_t restarts,
                                       std::int64_t classes) {
  targets = std::min(targets, classes - 1);
  std::vector<Stage> stages;
  FabSpec of_target = spec;
  if (std::isinf(spec.eps) && targets > 1) {
    of_target.targets = targets;
    return fab_stages(of_target, restarts);
  }
  for (std::int64_t restart = 0; restart < restarts; ++restart)
    for (std::int64_t target = 1; target <= targets; ++target) {
      of_target.target = {
          .targeted = true, .rule = TargetRule::likely, .given = static_cast<std::int32_t>(target)};
      stages.push_back(stage_of(Fab(of_target), restart));
    }
  return stages;
}

namespace {

/// Restarts of plus.
constexpr std::int64_t kPlusRestarts = 5;
/// Restarts of apgd-ce and targets of apgd-t in L1.
constexpr std::int64_t kL1Restarts = 5, kL1Targets = 5;

void append(std::vector<Stage>& stages, std::vector<Stage> more) {
  std::move(more.begin(), more.end(), std::back_inserter(stages));
}

ApgdSpec apgd_of(const EnsembleSpec& e, AttackLoss loss) {
  return {.norm = e.norm, .eps = e.eps, .steps = e.steps, .loss = loss};
}

FabSpec fab_of(const EnsembleSpec& e) {
  return {.norm = e.norm, .eps = e.eps, .steps = e.steps};
}

Square square_of(const EnsembleSpec& e) {
  return Square({.norm = e.norm, .eps = e.eps, .queries = e.queries});
}

}  // namespace

std::vector<Stage> autoattack_stages(const EnsembleSpec& spec, AutoAttackVersion version,
                                     std::int64_t classes) {
  const Apgd ce(apgd_of(spec, AttackLoss::cross_entropy), "apgd-ce"),
      dlr(apgd_of(spec, AttackLoss::dlr), "apgd-dlr");
  std::vector<Stage> stages;
  if (version != AutoAttackVersion::standard && spec.norm == Norm::l1)
    fail(ErrorKind::usage, "autoattack: in L1 there is version=standard alone");
  if (version != AutoAttackVersion::rand && classes <= kMostTargets)
    fail(ErrorKind::usage, "autoattack: looks at the ", kMostTargets + 1,
         " likeliest classes, and there are ", classes, "; expected aa-k, its form for any number of them");
  if (version == AutoAttackVersion::rand) check_loss(AttackLoss::dlr, false, classes, "autoattack");
  switch (version) {
    case AutoAttackVersion::standard:
      return aa_k_stages(spec, classes);
    case AutoAttackVersion::plus:
      append(stages, restarted(ce, kPlusRestarts));
      append(stages, restarted(dlr, kPlusRestarts));
      append(stages, restarted(Fab(fab_of(spec)), kPlusRestarts));
      append(stages, restarted(square_of(spec), 1));
      append(stages, apgd_targeted_stages(apgd_of(spec, AttackLoss::dlr), kMostTargets, 1, classes));
      append(stages, fab_targeted_stages(fab_of(spec), kMostTargets, 1, classes));
      break;
    case AutoAttackVersion::rand:
      append(stages, restarted(ce, 1));
      append(stages, restarted(dlr, 1));
      break;
  }
  return stages;
}

std::vector<Stage> aa_k_stages(const EnsembleSpec& spec, std::int64_t classes) {
  if (classes < 2) fail(ErrorKind::usage, "aa-k: there is ", classes, " class, expected 2 or more");
  const bool l1 = spec.norm == Norm::l1;
  std::vector<Stage> stages =
      restarted(Apgd(apgd_of(spec, AttackLoss::cross_entropy), "apgd-ce"), l1 ? kL1Restarts : 1);
  if (classes == kDlrClasses - 1)
    append(stages, restarted(Apgd(apgd_of(spec, AttackLoss::dlr), "apgd-dlr"), 1));
  append(stages,
         apgd_targeted_stages(apgd_of(spec, AttackLoss::margin), l1 ? kL1Targets : kMostTargets, 1, classes));
  append(stages, fab_targeted_stages(fab_of(spec), kMostTargets, 1, classes));
  if (!l1) append(stages, restarted(square_of(spec), 1));
  return stages;
}

}  // namespace inocula::attacks
