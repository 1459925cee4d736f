// From an attack of any kind to one that keeps to constraints.
#include "attacks/constraints.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "attacks/grey.h"
#include "attacks/region.h"
#include "engine/error.h"

namespace inocula::attacks {

namespace {

std::int64_t size_of(const auto& values) {
  return static_cast<std::int64_t>(values.size());
}

/// Pixels lie channel by channel of each pixel.
void require_grey(const ImageSplit& split) {
  for (std::int64_t i = 0; i < split.count; ++i) {
    const std::uint8_t* const image = split.pixels.data() + i * split.image_bytes();
    for (std::int64_t at = 0; at < split.image_bytes(); ++at)
      if (image[at] != image[at - at % split.channels])
        fail(ErrorKind::bad_data, "split '", split.name, "': the channels of image ", i,
             " differ, expected equal ones for a difference that is the same in all");
  }
}

/// Of the stacked image's radius, what the grey one may have: rounded so that the stack's stays inside.
float grey_share(Distance norm, std::int64_t channels) {
  constexpr double kRoundings = 1.0 - 0x1p-22;
  const auto n = static_cast<double>(channels);
  if (norm == Distance::linf || channels == 1) return 1;
  return static_cast<float>((norm == Distance::l2 ? 1 / std::sqrt(n) : 1 / n) * kRoundings);
}

}  // namespace

void check_constraints(const Constraints& c, const ImageSplit& split) {
  const std::int64_t pixels = split.height * split.width;
  if (c.bits != 0 && c.bits != 8 && c.bits != 16)
    fail(ErrorKind::usage, "bits is ", c.bits, ", expected 8 or 16, or 0 for any float");
  if (!c.region.empty() && size_of(c.region) != pixels && size_of(c.region) != split.count * pixels)
    fail(ErrorKind::bad_data, "region: has ", c.region.size(), " pixels, expected ", pixels,
         " for all images or ", split.count * pixels, " for the split's ", split.count);
  if (!c.eps_scale.empty() && size_of(c.eps_scale) != split.count)
    fail(ErrorKind::bad_data, "eps_scale: has ", c.eps_scale.size(), " factors, expected one for each of ",
         split.count, " images");
  for (std::size_t i = 0; i < c.eps_scale.size(); ++i)
    if (!(std::isfinite(c.eps_scale[i]) && c.eps_scale[i] >= 0))
      fail(ErrorKind::bad_data, "eps_scale: factor of image ", i, " is ", c.eps_scale[i],
           ", expected a number of 0 or more");
  if (c.channels == Channels::same) require_grey(split);
}

ResidentConstraints::ResidentConstraints(const Device& device, const ImageSplit& split, const Constraints& c)
    : channels_(c.channels),
      levels_(c.bits == 0 ? 0.0f : static_cast<float>((1 << c.bits) - 1)),
      count_(split.count),
      masks_(0),
      factors_(size_of(c.eps_scale)),
      height_(split.height),
      width_(split.width) {
  check_constraints(c, split);
  if (!c.region.empty()) {
    masks_ = size_of(c.region) / (height_ * width_);
    region_ = Buffer(device, c.region.size());
    region_.upload(c.region.data(), c.region.size());
  }
  if (factors_ == 0) return;
  eps_scale_ = Buffer(device, c.eps_scale.size() * sizeof(float));
  eps_scale_.upload(c.eps_scale.data(), c.eps_scale.size());
}

Tensor ResidentConstraints::record_eps_scale(Recorder& r, const PerturbationPorts& ports, float share) const {
  if (factors_ == 0 && share == 1) return {};
  const std::int64_t rows = ports.images.shape.n;
  const Tensor scale = r.make("factors of eps", {rows, 1, 1, 1});
  Tensor factors;
  if (factors_ > 0) factors = r.external("factors of all images", eps_scale_.as<void>(), {factors_, 1, 1, 1});
  r.kernel("attack.eps_scale", r.kernels().gather_eps_scale, [=](Access& at) {
    return GatherEpsScale{at.in(factors), at.in<std::int32_t>(ports.sample), at.out(scale), rows, share};
  });
  return scale;
}

void ResidentConstraints::record_levels(Recorder& r, const Bound& bound, const PerturbationPorts& ports,
                                        const Tensor& x) const {
  const Tensor scale = record_eps_scale(r, ports, 1);
  r.kernel("attack.requantise", r.kernels().requantise, [=, levels = levels_](Access& at) {
    Requantise a;
    a.y = at.inout(x);
    a.x = a.y;
    a.clean = at.in(ports.images);
    a.eps_scale = at.in(scale);
    a.rows = x.shape.n;
    a.cols = x.shape.per_sample();
    a.levels = levels;
    a.eps = static_cast<float>(bound.radius);
    a.norm = bound.norm;
    return a;
  });
}

Tensor ResidentConstraints::record(Recorder& r, Victim& victim, const Perturbation& perturbation,
                                   const PerturbationPorts& ports) const {
  const Bound bound = perturbation.bound();
  const std::int64_t channels = ports.images.shape.c;
  const bool grey = channels_ == Channels::same;
  PerturbationPorts inner = ports;
  if (grey) inner.images = record_first_channel(r, ports.images);
  if (masks_ > 0)
    inner.region = r.external("regions", region_.as<void>(), {masks_, 1, height_, width_}, DType::bytes);
  inner.eps_scale = record_eps_scale(r, ports, grey ? grey_share(bound.norm, channels) : 1.0f);

  std::optional<GreyVictim> grey_victim;
  if (grey) grey_victim.emplace(r, victim, channels);
  Victim& of_images = grey ? static_cast<Victim&>(*grey_victim) : victim;
  std::optional<RegionVictim> region_victim;
  if (inner.region) region_victim.emplace(r, of_images, inner);
  Tensor x = perturbation.record(r, region_victim ? *region_victim : of_images, inner);

  if (x.id == inner.images.id) return ports.images;
  record_in_region(r, inner, x);
  if (grey) x = record_stacked(r, x, channels);
  if (levels_ > 0) record_levels(r, bound, ports, x);
  return x;
}

}  // namespace inocula::attacks
