// Recording noise of a radius.
#include "attacks/noise.h"

#include "attacks/parts/spec_keys.h"
#include "attacks/parts/start.h"
#include "attacks/region.h"
#include "engine/error.h"
#include "engine/spec.h"

namespace inocula::attacks {

RandomNoise::RandomNoise(const NoiseSpec& spec) : spec_(spec) {
  if (spec.ssim == 0)
    check_ball("noise", spec.norm, spec.eps);
  else if (!(spec.ssim > 0 && spec.ssim < 1))
    refuse_field("noise", "ssim", spec.ssim, "a similarity above 0 and below 1");
}

std::string RandomNoise::spec() const {
  const std::string size =
      spec_.ssim == 0 ? ",eps=" + format_number(spec_.eps) : ",ssim=" + format_number(spec_.ssim);
  return "noise:norm=" + to_string(spec_.norm) + size;
}

Tensor RandomNoise::record(Recorder& r, Victim&, const PerturbationPorts& ports) const {
  const Tensor x = r.make("noisy images", ports.images.shape);
  if (spec_.ssim > 0)
    record_similar(r, ports, x);
  else
    record_start(r, ports, spec_.norm == Norm::l2 ? Start::sphere : Start::uniform, spec_.norm, spec_.eps, x);
  return x;
}

void RandomNoise::record_similar(Recorder& r, const PerturbationPorts& ports, const Tensor& x) const {
  const Shape shape = x.shape;
  // The draws are those of noise of radius 1 around black, before anything is clipped.
  const Tensor black = r.make("no image", shape), direction = r.make("noise", shape);
  r.kernel("attack.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out(black), shape.size(), 0.0f};
  });
  const auto draw = spec_.norm == Norm::linf ? r.kernels().start_uniform_linf : r.kernels().start_sphere_l2;
  r.kernel("attack.start", draw, [=](Access& at) {
    RandomStart a;
    a.x = at.out(direction);
    a.clean = at.in(black);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.state = at.in<StepState>(ports.state);
    a.rows = shape.n;
    a.cols = shape.per_sample();
    a.eps = 1;
    a.lo = -1;
    a.region = region_of(at, ports);
    return a;
  });
  const auto bytes = static_cast<std::int64_t>(sizeof(double)) * kSsimScratch * shape.per_sample();
  const Tensor scratch = r.make("means of windows", {shape.n, bytes, 1, 1}, DType::bytes);
  r.kernel("attack.ssim", r.kernels().match_ssim, [=, target = static_cast<float>(spec_.ssim)](Access& at) {
    MatchSsim a;
    a.x = at.out(x);
    a.clean = at.in(ports.images);
    a.direction = at.in(direction);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.scratch = at.out<double>(scratch);
    a.rows = shape.n;
    a.channels = shape.c;
    a.height = shape.h;
    a.width = shape.w;
    a.target = target;
    return a;
  });
}

}  // namespace inocula::attacks
