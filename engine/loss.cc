// Softmax cross-entropy as a step.
#include "engine/loss.h"

namespace inocula {

LossTensors record_softmax_ce(Recorder& r, const Tensor& logits, const Tensor& label, float scale,
                              LossGradientWanted wanted) {
  const std::int64_t rows = logits.shape.n, classes = logits.shape.c;
  LossTensors t;
  t.dlogits = wanted == LossGradientWanted::yes ? r.make("logit gradient", logits.shape) : Tensor{};
  t.loss = r.make("loss", {rows, 1, 1, 1});
  t.predicted = r.make("predicted class", {rows, 1, 1, 1}, DType::i32);
  r.kernel("loss.softmax_ce", r.kernels().softmax_ce, [=](Access& at) {
    SoftmaxCe a;
    a.logits = at.in(logits);
    a.label = at.in<std::int32_t>(label);
    a.dlogits = at.out(t.dlogits);
    a.loss = at.out(t.loss);
    a.predicted = at.out<std::int32_t>(t.predicted);
    a.rows = rows;
    a.classes = classes;
    a.scale = scale;
    return a;
  });
  return t;
}

}  // namespace inocula
