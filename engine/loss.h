// Recording the losses of logits that attacks climb and training descends.
#pragma once

#include "engine/recorder.h"

namespace inocula {

struct LossTensors {
  Tensor dlogits;    ///< like the logits; no tensor where no gradient was asked for
  Tensor loss;       ///< (N)
  Tensor predicted;  ///< (N) i32; of several labels (N, L) of 0 and 1
};

enum class LossGradientWanted { no, yes };

/// `scale` multiplies the gradient: 1 for the summed loss of attacks, 1 / N for training.
LossTensors record_softmax_ce(Recorder& r, const Tensor& logits, const Tensor& label, float scale,
                              LossGradientWanted wanted);

/// Of logits (N, L) against labels (N, L), each 0 or 1: summed over the labels.
LossTensors record_binary_ce(Recorder& r, const Tensor& logits, const Tensor& label, float scale,
                             LossGradientWanted wanted);

/// What a network is trained by: of one label an image the softmax cross-entropy, of several the binary one.
/// Everything that needs "the loss against the labels" asks here, and so serves both.
LossTensors record_label_loss(Recorder& r, const Tensor& logits, const Tensor& label, float scale,
                              LossGradientWanted wanted);
/// The scale of that loss's mean over a batch and its labels.
inline float mean_scale(const Tensor& label) {
  return 1.0f / static_cast<float>(label.shape.size());
}

/// KL(softmax(reference) || softmax(logits)), summed over the batch; its gradient is that by `logits`.
LossTensors record_kl_divergence(Recorder& r, const Tensor& reference, const Tensor& logits,
                                 LossGradientWanted wanted);

enum class Margin {
  difference,  ///< of two logits
  ratio,       ///< of their difference to the spread of the logits: DLR
};

/// How many classes a margin compares.
std::int64_t least_classes(Margin margin, bool targeted);

/// As kernels/margin.h says; `target` may be missing. Throws Error (usage) where there are fewer than
/// least_classes.
LossTensors record_margin(Recorder& r, Margin margin, const Tensor& logits, const Tensor& label,
                          const Tensor& target, LossGradientWanted wanted);

}  // namespace inocula
