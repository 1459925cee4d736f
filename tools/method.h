// A training method as the command line describes it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attacks/pgd.h"
#include "engine/norm_mode.h"
#include "engine/objective.h"
#include "engine/perturbation.h"
#include "engine/precision.h"

namespace inocula {

/// What a method trains against.
struct Ball {
  attacks::Norm norm = attacks::Norm::linf;
  double eps = 0;  ///< radius, in units of the pixel range [0, 1]
};

/// Flags of a method. What describes its attack is empty until it is given, so that it can be refused where
/// the method has nothing of the kind.
struct MethodOptions {
  std::string method = "standard";
  std::string norm;   ///< linf
  std::string eps;    ///< 8/255 for linf, 1 for l2; trades: 0.031 for linf
  std::string alpha;  ///< eps / 4 for linf, eps / 5 for l2; fast: 1.25 eps; robustaugmix, rtda: 2.5 eps /
                      ///< steps; trades: 7/31 eps for linf, 2 eps / steps for l2
  std::optional<std::int64_t> steps;    ///< 7; trades: 10
  std::optional<std::int64_t> replays;  ///< 4
  std::string random_start;             ///< true
  std::string attack_bn;                ///< eval; fast: train
  std::string augmix;                   ///< how images are augmented (attacks/augmix.h): augmix
  std::optional<double> jsd_weight;     ///< 12
  std::optional<double> beta;           ///< 6
  std::string views;  ///< how views pass the network: together; robustaugmix, trades: one_by_one
  std::string precision = "fp32";

  void add_flags(CLI::App& app);
  /// Throws Error (usage) naming the flag that is out of range or describes what the method does not have.
  void check() const;
  /// The attack that runs inside a step; none for standard training, free training and augmix and for `eval`,
  /// bench's evaluation, in 0 steps. Errors, here and below: as check.
  std::optional<attacks::PgdSpec> attack() const;
  /// What the method trains against; none for standard training and augmix.
  std::optional<Ball> ball() const;
  /// Whether its cross-entropy, and the accuracy in the log, are those of attacked images.
  bool descends_on_attacked() const;
  /// How many versions of a batch's images a step trains on.
  std::int64_t views_of_a_batch() const;
  /// How often free training takes each batch; 1 for the others.
  std::int64_t replays_of_a_batch() const;
  /// What batch norm does while the attack runs.
  NormMode attack_norm() const;
  /// What it comes to, for config.toml: (flag, value) with every default of the method's own flags written
  /// out.
  std::vector<std::pair<std::string, std::string>> resolved() const;
};

/// An objective and what perturbs images inside it.
struct TrainingMethod {
  std::vector<std::unique_ptr<Perturbation>> perturbations;
  std::unique_ptr<Objective> objective;
  std::string description;  ///< in one line: name and settings
};

/// "pgd, fast or free": the training methods that have this flag, all of them for an empty one.
std::string methods_with(std::string_view flag);

/// Errors: as MethodOptions::check.
TrainingMethod make_method(const MethodOptions& options);
NormMode parse_attack_bn(const std::string& text);
/// Throws Error (usage) where the flag is no precision.
Precision parse_precision(const std::string& text);

}  // namespace inocula
