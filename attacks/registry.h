// From a spec such as "pgd:norm=linf,eps=4/255,steps=20" to perturbations, and the list of what there is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "attacks/parts/norm.h"
#include "attacks/pgd.h"
#include "attacks/stages.h"

namespace inocula::attacks {

/// An attack ready to be recorded, with what a report says of it.
struct NamedAttack {
  std::string canonical;  ///< every key with its value, but the seed
  double eps = 0;         ///< infinite for an attack that looks for the nearest image however far
  Norm norm = Norm::linf;
  std::int64_t steps = 1;
  std::optional<std::uint64_t> seed;  ///< of its random numbers, where the spec gives one
  bool untargeted = true;             ///< it climbs a loss of the label, and any other class is a success
  bool sees_gradients = true;         ///< else it asks for logits alone
  bool ensemble = false;              ///< it is made of different attacks
  /// Its parts for a network of so many classes. Throws Error (usage) where the attack needs more of them or
  /// a class that is not there.
  std::function<std::vector<Stage>(std::int64_t classes)> stages;

  /// Every key with its value.
  std::string spec() const;
};

/// One attack for each value of eps in the spec. Throws Error (usage) naming the spec, the key and what was
/// expected.
std::vector<NamedAttack> parse_attacks(const std::string& spec);

/// The PGD that a spec without eps list describes; for training methods.
PgdSpec parse_pgd(const std::string& spec);

/// Specs of short runs: every attack in each of its norms, for networks of 10 classes and more. What a
/// self-test runs.
std::vector<std::string> sample_attacks();

/// Every attack with its keys and defaults, one a line.
std::string list_attacks();

}  // namespace inocula::attacks
