// One forward and backward in training mode.
#include "engine/objectives/erm.h"

#include "engine/loss.h"
#include "engine/recording.h"

namespace inocula {

TrainingResult Erm::record(Recorder& r, Network& network, const TrainingPorts& ports) const {
  const std::int64_t batch = ports.images.shape.n;
  Recording recording(r, network, batch,
                      {.norm = NormMode::batch, .input_gradient = false, .parameter_gradients = true});
  ForwardTrace trace = recording.forward(ports.images);
  const LossTensors loss =
      record_label_loss(r, trace.logits, ports.label, mean_scale(ports.label), LossGradientWanted::yes);
  recording.backward(trace, loss.dlogits);
  return {loss.loss, loss.predicted};
}

}  // namespace inocula
