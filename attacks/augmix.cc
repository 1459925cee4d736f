// AugMix by its spec, and recording a view.
#include "attacks/augmix.h"

#include <cstddef>

#include "engine/error.h"
#include "engine/spec.h"

namespace inocula::attacks {

namespace {

struct SetName {
  ImageOpSet set;
  const char* name;
};
constexpr SetName kSets[] = {
    {ImageOpSet::standard, "standard"}, {ImageOpSet::all, "all"}, {ImageOpSet::flips, "flips"}};

/// As many as a draw's `sub` tells apart.
constexpr std::int64_t kViews = std::int64_t{1} << 24;

const char* name_of(ImageOpSet set) {
  for (const SetName& s : kSets)
    if (s.set == set) return s.name;
  return "";
}

ImageOpSet parse_set(const Spec& s, ImageOpSet fallback) {
  const std::string word = s.word("ops", name_of(fallback));
  for (const SetName& known : kSets)
    if (word == known.name) return known.set;
  fail(ErrorKind::usage, "'", s.text(), "': ops=", word, ", expected standard, all or flips");
}

}  // namespace

AugMixSpec parse_augmix(const std::string& text) {
  const Spec s = Spec::parse(text);
  if (s.name() != "augmix") fail(ErrorKind::usage, "'", text, "': expected augmix");
  s.allow({"severity", "chains", "depth", "alpha", "ops", "view"});
  AugMixSpec a;
  a.severity = s.number("severity", a.severity);
  a.chains = s.integer("chains", a.chains);
  a.depth = s.integer("depth", a.depth);
  a.alpha = s.number("alpha", a.alpha);
  a.ops = parse_set(s, a.ops);
  a.view = s.integer("view", a.view);
  return a;
}

AugMixView::AugMixView(const AugMixSpec& spec) : spec_(spec) {
  // Negated, so that a NaN is refused.
  if (!(spec.severity >= 0.1 && spec.severity <= 10))
    fail(ErrorKind::usage, "augmix: severity is ", spec.severity, ", expected 0.1 to 10");
  if (spec.chains < 1 || spec.chains > kMostChains)
    fail(ErrorKind::usage, "augmix: chains is ", spec.chains, ", expected 1 to ", kMostChains);
  if (spec.depth != -1 && (spec.depth < 1 || spec.depth > kMostDepth))
    fail(ErrorKind::usage, "augmix: depth is ", spec.depth, ", expected 1 to ", kMostDepth,
         ", or -1 for 1, 2 or 3 alike");
  if (!(spec.alpha >= 0.001 && spec.alpha <= 1000))
    fail(ErrorKind::usage, "augmix: alpha is ", spec.alpha, ", expected 0.001 to 1000");
  if (spec.view < 0 || spec.view >= kViews)
    fail(ErrorKind::usage, "augmix: view is ", spec.view, ", expected 0 to ", kViews - 1);
}

std::string AugMixView::spec() const {
  return "augmix:severity=" + format_number(spec_.severity) + ",chains=" + std::to_string(spec_.chains) +
         ",depth=" + std::to_string(spec_.depth) + ",alpha=" + format_number(spec_.alpha) +
         ",ops=" + name_of(spec_.ops) + ",view=" + std::to_string(spec_.view);
}

Tensor AugMixView::record(Recorder& r, Victim&, const PerturbationPorts& ports) const {
  const Shape shape = ports.images.shape;
  if (spec_.ops == ImageOpSet::all && shape.c != 1 && shape.c != 3)
    fail(ErrorKind::usage, "augmix: images have ", shape.c,
         " channels, expected 1 or 3, since ops=all has operations on colours");
  const Tensor y = r.make("mixed images", shape);
  r.kernel("augmix", r.kernels().augmix, [=, spec = spec_](Access& at) {
    AugMix a;
    a.y = at.out(y);
    a.x = at.in(ports.images);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.state = at.in<StepState>(ports.state);
    a.scratch = at.scratch<std::uint8_t>(static_cast<std::size_t>(shape.n) *
                                         augmix_scratch_bytes(shape.per_sample()));
    a.rows = shape.n;
    a.channels = shape.c;
    a.height = shape.h;
    a.width = shape.w;
    a.severity = static_cast<float>(spec.severity);
    a.chains = static_cast<std::int32_t>(spec.chains);
    a.depth = static_cast<std::int32_t>(spec.depth);
    a.alpha = static_cast<float>(spec.alpha);
    a.set = spec.ops;
    a.view = static_cast<std::uint32_t>(spec.view);
    return a;
  });
  return y;
}

}  // namespace inocula::attacks
