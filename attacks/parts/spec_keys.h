// Keys that the specs of several attacks have.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "attacks/parts/norm.h"
#include "attacks/parts/target.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// "norm": one of `allowed`, whose first is what a spec without it means. Throws Error (usage).
Norm parse_norm(const Spec& s, std::initializer_list<Norm> allowed);
/// "target": a class number, least_likely, random, next or likelyN; without it there is none.
Target parse_target(const Spec& s);
/// "seed": 0 or more.
std::optional<std::uint64_t> parse_seed(const Spec& s);
/// Refuses a norm other than linf and l2, and a radius that is negative, infinite or, in linf, above 1.
void check_ball(const std::string& attack, Norm norm, double eps);
/// Refuses a value of `attack`'s field: "pgd: alpha is 0, expected a positive number".
[[noreturn]] void refuse_field(const std::string& attack, const char* field, double value,
                               const char* expected);

}  // namespace inocula::attacks
