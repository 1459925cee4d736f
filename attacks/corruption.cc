// Recording noise, and the corruptions by name.
#include "attacks/corruption.h"

#include <cstddef>
#include <utility>

#include "engine/error.h"
#include "engine/spec.h"

namespace inocula::attacks {

namespace {

struct Description {
  Corruption kind;
  const char* name;
  double most;  ///< of the level
  bool zero;    ///< is a level
  const char* expected;
  const char* says;
};

constexpr double kAnyVariance = 1e6;

constexpr Description kCorruptions[] = {
    {Corruption::gaussian_noise, "gaussian_noise", kAnyVariance, true, "a variance of 0 or more",
     "x + n, n normal with variance `level`"},
    {Corruption::speckle_noise, "speckle_noise", kAnyVariance, true, "a variance of 0 or more",
     "x + x n, n normal with variance `level`"},
    {Corruption::impulse_noise, "impulse_noise", 1, true, "a share of values from 0 to 1",
     "salt and pepper: a share `level` of all values becomes 0 or 1"},
    {Corruption::shot_noise, "shot_noise", kMostPhotons, false,
     "a number of photons above 0 and at most 65536", "Poisson: a white pixel is `level` photons"},
};

const Description& describe(Corruption kind) {
  return kCorruptions[static_cast<std::size_t>(kind)];
}

std::string every_name() {
  std::string names;
  for (const Description& d : kCorruptions) names += (names.empty() ? "" : ", ") + std::string(d.name);
  return names;
}

Corruption kind_of(const Spec& s) {
  for (const Description& d : kCorruptions)
    if (s.name() == d.name) return d.kind;
  fail(ErrorKind::usage, "'", s.text(), "': unknown corruption '", s.name(),
       "', expected one of: ", every_name());
}

}  // namespace

NoiseCorruption::NoiseCorruption(Corruption kind, double level) : kind_(kind), level_(level) {
  const Description& d = describe(kind);
  // Negated, so that a NaN is refused.
  if (!(level >= 0 && level <= d.most && (d.zero || level > 0)))
    fail(ErrorKind::usage, d.name, ": level is ", level, ", expected ", d.expected);
}

std::string NoiseCorruption::spec() const {
  return std::string(describe(kind_).name) + ":level=" + format_number(level_);
}

Tensor NoiseCorruption::record(Recorder& r, Victim&, const PerturbationPorts& ports) const {
  const KernelTable& k = r.kernels();
  const auto noise = kind_ == Corruption::gaussian_noise  ? k.gaussian_noise
                     : kind_ == Corruption::speckle_noise ? k.speckle_noise
                     : kind_ == Corruption::impulse_noise ? k.impulse_noise
                                                          : k.shot_noise;
  const Tensor y = r.make("corrupted images", ports.images.shape);
  const std::int64_t rows = y.shape.n, cols = y.shape.per_sample();
  r.kernel("corruption.noise", noise, [=, level = static_cast<float>(level_)](Access& at) {
    Noise a;
    a.y = at.out(y);
    a.x = at.in(ports.images);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.state = at.in<StepState>(ports.state);
    a.rows = rows;
    a.cols = cols;
    a.level = level;
    return a;
  });
  return y;
}

std::string NamedCorruption::spec() const {
  return perturbation->spec() + (seed ? ",seed=" + std::to_string(*seed) : "");
}

std::vector<NamedCorruption> parse_corruptions(const std::string& text) {
  const Spec s = Spec::parse(text);
  const Corruption kind = kind_of(s);
  s.allow({"level", "seed"});
  if (!s.has("level")) fail(ErrorKind::usage, "'", text, "': no level, expected ", describe(kind).expected);
  std::optional<std::uint64_t> seed;
  if (s.has("seed")) seed = static_cast<std::uint64_t>(s.integer("seed", 0, 0));
  std::vector<NamedCorruption> list;
  for (const double level : s.numbers("level", 0))
    list.push_back({std::make_unique<NoiseCorruption>(kind, level), s.name(), level, seed});
  return list;
}

std::string list_corruptions() {
  std::string list;
  for (const Description& d : kCorruptions)
    list += std::string(d.name) + ":level=…\n    " + d.says + ": " + d.expected + "\n";
  return list +
         "level may be a list such as 0.1;0.2;0.4; seed=N takes the random numbers of another seed than "
         "--seed\n";
}

}  // namespace inocula::attacks
