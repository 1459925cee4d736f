// Whom an attack wants its images to be mistaken for.
#pragma once

#include <cstdint>
#include <string>

#include "engine/perturbation.h"
#include "kernels/targets.h"

namespace inocula::attacks {

struct Target {
  bool targeted = false;
  TargetRule rule = TargetRule::given;
  std::int32_t given = 0;  ///< the class of TargetRule::given, the rank of TargetRule::likely
};

/// "3", "least_likely", "random", "next", "likely2": as a spec has it.
std::string to_string(const Target& target);

/// Throws Error (usage) naming `attack` where a network of so many classes has no such target.
void check_target(const Target& target, std::int64_t classes, const std::string& attack);

/// Records the choice for each image: (N) i32; no tensor where the attack has no target. Throws Error (usage)
/// naming `attack` where the network has no such class.
Tensor record_target(Recorder& r, Victim& victim, const PerturbationPorts& ports, const Target& target,
                     const std::string& attack);

}  // namespace inocula::attacks
