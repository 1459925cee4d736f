// Recording an attack's start.
#include "attacks/start.h"

#include "attacks/region.h"
#include "kernels/step_state.h"

namespace inocula::attacks {

void record_start(Recorder& r, const PerturbationPorts& ports, Start start, Norm norm, double eps,
                  const Tensor& x) {
  if (start == Start::clean) return r.copy("attack.copy", ports.images, x);
  const KernelTable& k = r.kernels();
  const bool linf = norm == Norm::linf;
  const auto kernel = start == Start::normal   ? linf ? k.start_normal_linf : k.start_normal_l2
                      : linf                   ? k.start_uniform_linf
                      : start == Start::sphere ? k.start_sphere_l2
                                               : k.start_uniform_l2;
  const std::int64_t rows = x.shape.n, cols = x.shape.per_sample();
  r.kernel("attack.start", kernel, [=](Access& at) {
    RandomStart a;
    a.x = at.out(x);
    a.clean = at.in(ports.images);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.state = at.in<StepState>(ports.state);
    a.rows = rows;
    a.cols = cols;
    a.eps = static_cast<float>(eps);
    a.deviation = static_cast<float>(kNormalStart);
    a.eps_scale = at.in(ports.eps_scale);
    a.region = region_of(at, ports);
    return a;
  });
}

}  // namespace inocula::attacks
