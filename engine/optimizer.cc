// Recording parameter updates.
#include "engine/optimizer.h"

#include <cmath>

#include "engine/error.h"
#include "engine/parameter_tensors.h"

namespace inocula {

Optimizer::Optimizer(const OptimizerSpec& spec, Network& network) : spec_(spec), network_(network) {
  const auto range = [](const char* name, float v, float high) {
    if (!(v >= 0) || !(v < high))
      fail(ErrorKind::usage, name, " is ", v, ", expected a number in [0, ", high, ")");
  };
  range("momentum", spec.momentum, 1);
  range("beta1", spec.beta1, 1);
  range("beta2", spec.beta2, 1);
  if (!(spec.decay >= 0) || !std::isfinite(spec.decay))
    fail(ErrorKind::usage, "weight decay is ", spec.decay, ", expected a number of 0 or more");
  if (spec.nesterov && spec.momentum == 0) fail(ErrorKind::usage, "nesterov needs a momentum above 0");
  const std::size_t bytes = network.parameters().values.bytes();
  if (spec.kind == OptimizerKind::adam || spec.momentum > 0) first_ = Buffer(network.device(), bytes);
  if (spec.kind == OptimizerKind::adam) second_ = Buffer(network.device(), bytes);
}

void Optimizer::record(Recorder& r, const Tensor& state) {
  ParameterTensors p(r, network_.parameters());
  const Tensor weights = p.all_weights(), gradients = p.all_gradients();
  const std::int64_t size = weights.shape.c;
  const auto moment = [&](const char* name, const Buffer& buffer) {
    return buffer.bytes() > 0 ? r.external(name, buffer.as<float>(), weights.shape) : Tensor{};
  };
  const Tensor first = moment("first moment", first_), second = moment("second moment", second_);
  const OptimizerSpec s = spec_;
  if (s.kind == OptimizerKind::sgd) {
    r.kernel("optimizer.sgd", r.kernels().sgd, [=](Access& at) {
      return Sgd{at.inout(weights), at.in(gradients), at.inout(first),   at.in<StepState>(state), size,
                 s.momentum,        s.decay,          s.nesterov ? 1 : 0};
    });
  } else {
    r.kernel("optimizer.adam", r.kernels().adam, [=](Access& at) {
      return Adam{at.inout(weights),
                  at.in(gradients),
                  at.inout(first),
                  at.inout(second),
                  at.in<StepState>(state),
                  size,
                  s.beta1,
                  s.beta2,
                  s.eps,
                  s.decay};
    });
  }
}

std::vector<std::pair<std::string, Buffer*>> Optimizer::moments() {
  std::vector<std::pair<std::string, Buffer*>> list;
  if (first_.bytes() > 0) list.emplace_back("first_moment", &first_);
  if (second_.bytes() > 0) list.emplace_back("second_moment", &second_);
  return list;
}

}  // namespace inocula
