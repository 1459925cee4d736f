// Reading the keys that several attacks have.
#include "attacks/parts/spec_keys.h"

#include <cmath>
#include <string>

#include "engine/error.h"

namespace inocula::attacks {

namespace {

bool is_number(const std::string& word) {
  return !word.empty() && word.size() <= 9 && word.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

Norm parse_norm(const Spec& s, std::initializer_list<Norm> allowed) {
  const std::string word = s.word("norm", to_string(*allowed.begin()));
  std::string names;
  for (const Norm norm : allowed) {
    if (word == to_string(norm)) return norm;
    names += (names.empty() ? "" : " or ") + to_string(norm);
  }
  fail(ErrorKind::usage, "'", s.text(), "': norm=", word, ", expected ", names);
}

Target parse_target(const Spec& s) {
  constexpr std::string_view kLikely = "likely";
  Target t;
  if (!s.has("target")) return t;
  t.targeted = true;
  const std::string word = s.word("target", "");
  if (word == "least_likely") {
    t.rule = TargetRule::least_likely;
  } else if (word == "random") {
    t.rule = TargetRule::random;
  } else if (word == "next") {
    t.rule = TargetRule::next;
  } else if (word.starts_with(kLikely) && is_number(word.substr(kLikely.size()))) {
    t.rule = TargetRule::likely;
    t.given = std::stoi(word.substr(kLikely.size()));
  } else if (is_number(word)) {
    t.given = std::stoi(word);
  } else {
    fail(ErrorKind::usage, "'", s.text(), "': target=", word,
         ", expected a class number, least_likely, random, next, or likely1 and so on");
  }
  return t;
}

std::optional<std::uint64_t> parse_seed(const Spec& s) {
  if (!s.has("seed")) return std::nullopt;
  const std::int64_t seed = s.integer("seed", 0);
  if (seed < 0) fail(ErrorKind::usage, "'", s.text(), "': seed=", seed, ", expected 0 or more");
  return static_cast<std::uint64_t>(seed);
}

void check_ball(const std::string& attack, Norm norm, double eps) {
  if (!(std::isfinite(eps) && eps >= 0))
    refuse_field(attack, "eps", eps, "0 or more, in units of the pixel range [0, 1]");
  if (norm == Norm::linf && eps > 1)
    refuse_field(attack, "eps", eps,
                 "at most 1, in units of the pixel range [0, 1]: eight of 255 grey levels are 8/255");
  if (norm == Norm::l0)
    fail(ErrorKind::usage, attack, ": norm is ", to_string(norm), ", expected linf, l2 or l1");
}

void refuse_field(const std::string& attack, const char* field, double value, const char* expected) {
  fail(ErrorKind::usage, attack, ": ", field, " is ", value, ", expected ", expected);
}

}  // namespace inocula::attacks
