// Perturb, one forward and backward, climb.
#include "engine/objectives/free.h"

#include "engine/error.h"
#include "engine/loss.h"
#include "engine/recording.h"

namespace inocula {

FreeTraining::FreeTraining(double eps, std::int64_t replays) : eps_(eps), replays_(replays) {
  if (!(eps > 0 && eps <= 1))
    fail(ErrorKind::usage, "eps is ", eps,
         ", expected a number above 0 and at most 1, in units of the pixel range [0, 1]");
  if (replays < 1) fail(ErrorKind::usage, "replays is ", replays, ", expected at least 1");
}

TrainingResult FreeTraining::record(Recorder& r, Network& network, const TrainingPorts& ports) const {
  const Tensor clean = ports.images, delta = ports.carried[0];
  const std::int64_t batch = clean.shape.n, size = clean.shape.size();
  const auto eps = static_cast<float>(eps_);

  const Tensor x = r.make("perturbed images", clean.shape);
  r.kernel("free.add_delta", r.kernels().add_delta, [=](Access& at) {
    AddDelta a;
    a.x = at.out(x);
    a.clean = at.in(clean);
    a.delta = at.in(delta);
    a.size = size;
    a.eps = eps;
    return a;
  });
  Recording recording(r, network, batch,
                      {.norm = NormMode::batch, .input_gradient = true, .parameter_gradients = true});
  ForwardTrace trace = recording.forward(x);
  const LossTensors loss =
      record_label_loss(r, trace.logits, ports.label, mean_scale(ports.label), LossGradientWanted::yes);
  const Tensor gradient = recording.backward(trace, loss.dlogits);
  r.kernel("free.ascend_delta", r.kernels().ascend_delta_linf, [=](Access& at) {
    return AscendDelta{at.inout(delta), at.in(gradient), size, eps};
  });
  return {loss.loss, loss.predicted};
}

}  // namespace inocula
