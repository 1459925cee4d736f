// Recording what keeps to a region.
#include "attacks/region.h"

namespace inocula::attacks {

namespace {

/// All but the pixels that are written.
KeepToRegion keep_in(Access& at, const PerturbationPorts& ports) {
  KeepToRegion a;
  a.sample = at.in<std::int32_t>(ports.sample);
  a.rows = ports.images.shape.n;
  a.cols = ports.images.shape.per_sample();
  a.region = region_of(at, ports);
  return a;
}

}  // namespace

Region region_of(Access& at, const PerturbationPorts& ports) {
  if (!ports.region) return {};
  const std::int64_t pixels = ports.region.shape.pixels();
  return {at.in<std::uint8_t>(ports.region), pixels, ports.region.shape.n == 1 ? 0 : pixels};
}

void record_in_region(Recorder& r, const PerturbationPorts& ports, const Tensor& x) {
  if (!ports.region) return;
  r.kernel("attack.region", r.kernels().keep_to_region, [=](Access& at) {
    KeepToRegion a = keep_in(at, ports);
    a.y = at.inout(x);
    a.x = a.y;
    a.outside = at.in(ports.images);
    return a;
  });
}

Tensor RegionVictim::seen(const Tensor& images) {
  if (images.id == ports_.images.id) return images;
  const Tensor seen = recorder_.make("images as seen", images.shape);
  recorder_.kernel("attack.region", recorder_.kernels().keep_to_region, [=, ports = ports_](Access& at) {
    KeepToRegion a = keep_in(at, ports);
    a.x = at.in(images);
    a.outside = at.in(ports.images);
    a.y = at.out(seen);
    return a;
  });
  return seen;
}

Tensor RegionVictim::gradient(const Query& query, const Tensor& dlogits) {
  const Tensor whole = victim_.gradient(query, dlogits);
  const Tensor inside = recorder_.make("gradient in the region", whole.shape);
  recorder_.kernel("attack.region", recorder_.kernels().keep_to_region, [=, ports = ports_](Access& at) {
    KeepToRegion a = keep_in(at, ports);
    a.x = at.in(whole);
    a.y = at.out(inside);
    return a;
  });
  return inside;
}

}  // namespace inocula::attacks
