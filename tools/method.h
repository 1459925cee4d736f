// A training method as the command line describes it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attacks/pgd.h"
#include "engine/norm_mode.h"
#include "engine/objective.h"
#include "engine/perturbation.h"
#include "engine/precision.h"

namespace inocula {

/// Flags of a method. What describes its attack is empty until it is given, so that it can be refused where
/// there is no attack.
struct MethodOptions {
  std::string method = "standard";
  std::string norm;                   ///< linf
  std::string eps;                    ///< 8/255 for linf, 1 for l2
  std::string alpha;                  ///< eps / 4 for linf, eps / 5 for l2
  std::optional<std::int64_t> steps;  ///< 7
  std::string random_start;           ///< true
  std::string attack_bn;              ///< eval
  std::string precision = "fp32";

  void add_flags(CLI::App& app);
  /// The attack inside the method, none for standard training and for `eval`, bench's evaluation, in 0 steps.
  /// Throws Error (usage) naming the flag that is out of range or describes an attack that is not there.
  std::optional<attacks::PgdSpec> attack() const;
  /// Throws Error (usage) where the flag is no precision.
  Precision parse_precision() const;
  /// What batch norm does while the attack runs.
  NormMode attack_norm() const;
  /// What it comes to, for config.toml: (flag, value) with every default written out; attack flags only where
  /// the method attacks.
  std::vector<std::pair<std::string, std::string>> resolved() const;
};

/// An objective and the attack inside it.
struct TrainingMethod {
  std::unique_ptr<Perturbation> attack;  ///< null for standard training
  std::unique_ptr<Objective> objective;
};

/// Errors: as MethodOptions::attack.
TrainingMethod make_method(const MethodOptions& options);
NormMode parse_attack_bn(const std::string& text);

}  // namespace inocula
