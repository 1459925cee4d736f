// Recording a projection.
#include "attacks/parts/project.h"

namespace inocula::attacks {

void record_project_l1(Recorder& r, const PerturbationPorts& ports, double eps, const Tensor& x) {
  r.kernel("attack.project", r.kernels().project_l1, [=, images = ports.images](Access& at) {
    ProjectBall a;
    a.x = at.inout(x);
    a.clean = at.in(images);
    a.rows = x.shape.n;
    a.cols = x.shape.per_sample();
    a.eps = static_cast<float>(eps);
    return a;
  });
}

}  // namespace inocula::attacks
