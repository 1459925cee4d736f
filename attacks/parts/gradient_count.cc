// Recording the count of zero gradients.
#include "attacks/parts/gradient_count.h"

namespace inocula::attacks {

void record_gradient_count(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient,
                           const Tensor& done) {
  if (!ports.zero_gradients) return;
  const std::int64_t rows = gradient.shape.n, cols = gradient.shape.per_sample();
  r.kernel("attack.count_zero_gradients", r.kernels().count_zero_gradients, [=](Access& at) {
    CountZeroGradients a;
    a.gradient = at.in(gradient);
    a.sample = at.in<std::int32_t>(ports.sample);
    a.done = at.in<std::int32_t>(done);
    a.zeros = at.inout<std::uint64_t>(ports.zero_gradients);
    a.total = at.inout<std::uint64_t>(ports.all_gradients);
    a.rows = rows;
    a.cols = cols;
    return a;
  });
}

}  // namespace inocula::attacks
