// Recording an attack's start.
#include "attacks/parts/start.h"

#include "attacks/parts/project.h"
#include "attacks/region.h"
#include "engine/error.h"
#include "kernels/step_state.h"

namespace inocula::attacks {

namespace {

RandomStart start_of(Access& at, const PerturbationPorts& ports, const Tensor& x) {
  RandomStart a;
  a.x = at.out(x);
  a.clean = at.in(ports.images);
  a.sample = at.in<std::int32_t>(ports.sample);
  a.state = at.in<StepState>(ports.state);
  a.restart = at.in<std::int32_t>(ports.restart);
  a.rows = x.shape.n;
  a.cols = x.shape.per_sample();
  return a;
}

/// The sparse steps know one radius alone.
void require_one_radius(const PerturbationPorts& ports) {
  if (ports.eps_scale)
    fail(
        ErrorKind::usage,
        "attacks in L1 have one eps for all images and channels of their own, expected no --eps-scale and no "
        "--channels same");
}

}  // namespace

void record_start(Recorder& r, const PerturbationPorts& ports, Start start, Norm norm, double eps,
                  const Tensor& x) {
  if (norm == Norm::l1) require_one_radius(ports);
  if (start == Start::clean) return r.copy("attack.copy", ports.images, x);
  if (start == Start::normal && norm == Norm::l1)
    return record_normal_start_l1(r, ports, kNormalStart, eps, x);
  const KernelTable& k = r.kernels();
  const bool linf = norm == Norm::linf;
  const auto kernel = start == Start::normal   ? linf ? k.start_normal_linf : k.start_normal_l2
                      : linf                   ? k.start_uniform_linf
                      : norm == Norm::l1       ? k.start_uniform_l1
                      : start == Start::sphere ? k.start_sphere_l2
                                               : k.start_uniform_l2;
  r.kernel("attack.start", kernel, [=](Access& at) {
    RandomStart a = start_of(at, ports, x);
    a.eps = static_cast<float>(eps);
    a.deviation = static_cast<float>(kNormalStart);
    a.eps_scale = at.in(ports.eps_scale);
    a.region = region_of(at, ports);
    return a;
  });
}

void record_normal_start_l1(Recorder& r, const PerturbationPorts& ports, double deviation, double eps,
                            const Tensor& x) {
  require_one_radius(ports);
  // What holds the moves is the projection alone: no pixel is cut off before.
  constexpr float kFar = 1e3f;
  r.kernel("attack.start", r.kernels().start_normal_linf, [=](Access& at) {
    RandomStart a = start_of(at, ports, x);
    a.eps = kFar;
    a.lo = -kFar;
    a.hi = kFar;
    a.deviation = static_cast<float>(deviation);
    return a;
  });
  record_project_l1(r, ports, eps, x);
}

}  // namespace inocula::attacks
