// A training method as the command line describes it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "attacks/pgd.h"
#include "engine/norm_mode.h"
#include "engine/objective.h"
#include "engine/perturbation.h"

namespace inocula {

/// Flags of a method; empty texts stand for defaults that depend on other flags.
struct MethodOptions {
  std::string method = "standard";
  std::string norm = "linf";
  std::string eps;    ///< 8/255 for linf, 1 for l2
  std::string alpha;  ///< eps / 4 for linf, eps / 5 for l2
  std::int64_t steps = 7;
  bool random_start = true;
  std::string attack_bn = "eval";
  std::string precision = "fp32";

  void add_flags(CLI::App& app);
  /// What it comes to, for config.toml: (flag, value) with every default written out; attack flags only where
  /// the method attacks.
  std::vector<std::pair<std::string, std::string>> resolved() const;
};

/// An objective and the attack inside it.
struct TrainingMethod {
  std::unique_ptr<Perturbation> attack;  ///< null for standard training
  std::unique_ptr<Objective> objective;
};

/// Throws Error (usage) naming the flag that is out of range.
TrainingMethod make_method(const MethodOptions& options);
NormMode parse_attack_bn(const std::string& text);

}  // namespace inocula
