// Losses of logits as steps.
#include "engine/loss.h"

#include "engine/error.h"

namespace inocula {

namespace {

LossTensors make_loss_tensors(Recorder& r, const Tensor& logits, LossGradientWanted wanted,
                              std::int64_t decisions = 1) {
  const std::int64_t rows = logits.shape.n;
  LossTensors t;
  t.dlogits = wanted == LossGradientWanted::yes ? r.make("logit gradient", logits.shape) : Tensor{};
  t.loss = r.make("loss", {rows, 1, 1, 1});
  t.predicted = r.make("predicted class", {rows, decisions, 1, 1}, DType::i32);
  return t;
}

}  // namespace

LossTensors record_softmax_ce(Recorder& r, const Tensor& logits, const Tensor& label, float scale,
                              LossGradientWanted wanted) {
  const std::int64_t rows = logits.shape.n, classes = logits.shape.c;
  const LossTensors t = make_loss_tensors(r, logits, wanted);
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

LossTensors record_binary_ce(Recorder& r, const Tensor& logits, const Tensor& label, float scale,
                             LossGradientWanted wanted) {
  const std::int64_t rows = logits.shape.n, labels = logits.shape.c;
  if (label.shape.c != labels)
    fail(ErrorKind::internal, "record_binary_ce: ", label.shape.c, " labels an image, ", labels, " logits");
  const LossTensors t = make_loss_tensors(r, logits, wanted, labels);
  r.kernel("loss.binary_ce", r.kernels().binary_ce, [=](Access& at) {
    BinaryCe a;
    a.logits = at.in(logits);
    a.label = at.in<std::int32_t>(label);
    a.dlogits = at.out(t.dlogits);
    a.loss = at.out(t.loss);
    a.predicted = at.out<std::int32_t>(t.predicted);
    a.rows = rows;
    a.labels = labels;
    a.scale = scale;
    return a;
  });
  return t;
}

LossTensors record_label_loss(Recorder& r, const Tensor& logits, const Tensor& label, float scale,
                              LossGradientWanted wanted) {
  return label.shape.c > 1 ? record_binary_ce(r, logits, label, scale, wanted)
                           : record_softmax_ce(r, logits, label, scale, wanted);
}

LossTensors record_kl_divergence(Recorder& r, const Tensor& reference, const Tensor& logits,
                                 LossGradientWanted wanted) {
  const std::int64_t rows = logits.shape.n, classes = logits.shape.c;
  const LossTensors t = make_loss_tensors(r, logits, wanted);
  r.kernel("loss.kl_divergence", r.kernels().kl_divergence, [=](Access& at) {
    return KlDivergence{at.in(reference),
                        at.in(logits),
                        at.out(t.dlogits),
                        at.out(t.loss),
                        at.out<std::int32_t>(t.predicted),
                        rows,
                        classes};
  });
  return t;
}

std::int64_t least_classes(Margin margin, bool targeted) {
  return margin == Margin::difference ? 2 : targeted ? 4 : 3;
}

LossTensors record_margin(Recorder& r, Margin margin, const Tensor& logits, const Tensor& label,
                          const Tensor& target, LossGradientWanted wanted) {
  const std::int64_t rows = logits.shape.n, classes = logits.shape.c;
  const std::int64_t least = least_classes(margin, static_cast<bool>(target));
  if (classes < least)
    fail(ErrorKind::usage, margin == Margin::difference ? "the margin" : "DLR",
         target ? " with a target" : "", " compares the ", least, " largest logits, and there are ", classes,
         " classes");
  const LossTensors t = make_loss_tensors(r, logits, wanted);
  const auto kernel = margin == Margin::difference ? r.kernels().margin_loss : r.kernels().dlr_loss;
  r.kernel(margin == Margin::difference ? "loss.margin" : "loss.dlr", kernel, [=](Access& at) {
    MarginLoss a;
    a.logits = at.in(logits);
    a.label = at.in<std::int32_t>(label);
    a.target = at.in<std::int32_t>(target);
    a.dlogits = at.out(t.dlogits);
    a.loss = at.out(t.loss);
    a.predicted = at.out<std::int32_t>(t.predicted);
    a.rows = rows;
    a.classes = classes;
    return a;
  });
  return t;
}

}  // namespace inocula
