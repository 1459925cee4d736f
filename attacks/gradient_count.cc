// Recording the count of zero gradients.
#include "attacks/gradient_count.h"

namespace inocula::attacks {

void record_gradient_count(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient) {
  if (!ports.zero_gradients) return;
  const std::int64_t rows = gradient.shape.n, cols = gradient.shape.per_sample();
  r.kernel("attack.count_zero_gradients", r.kernels().count_zero_gradients, [=](Access& at) {
    return CountZeroGradients{at.in(gradient),
                              at.in<std::int32_t>(ports.sample),
                              at.inout<std::uint64_t>(ports.zero_gradients),
                              at.inout<std::uint64_t>(ports.all_gradients),
                              rows,
                              cols};
  });
}

}  // namespace inocula::attacks
