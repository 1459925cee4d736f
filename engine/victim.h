// What an attack may ask of the model it attacks: logits, and the loss's gradient with respect to the images.
#pragma once

#include "engine/error.h"
#include "engine/recording.h"
#include "engine/tensor.h"

namespace inocula {

/// Loss and gradient of one recorded query.
struct LossGradient {
  Tensor gradient;   ///< plain (N, C, H, W): of the cross-entropy *summed* over the batch
  Tensor loss;       ///< (N): cross-entropy of each image against the aim
  Tensor predicted;  ///< (N) i32: arg max of the logits
};

class Victim {
 public:
  virtual ~Victim() = default;

  virtual std::int64_t classes() const = 0;
  /// Records a forward pass: (N, K) logits.
  virtual Tensor logits(const Tensor& images) = 0;
  /// Records forward and backward of the cross-entropy against `aim` (i32 (N): labels or targets).
  virtual LossGradient loss_gradient(const Tensor& images, const Tensor& aim) = 0;
  /// Records a forward pass and the cross-entropy against `aim`, without a gradient.
  virtual LossGradient loss(const Tensor& images, const Tensor& aim) = 0;
};

/// What a perturbation asks; with none there need not be a network.
enum class VictimUse { none, logits, gradients };

/// One of our networks; `norm` is frozen unless the user asks for an attack in training mode. With
/// less than VictimUse::gradients nothing is kept or prepared for gradients, and loss_gradient must not be
/// called.
class NetworkVictim final : public Victim {
 public:
  NetworkVictim(Recorder& recorder, Network& network, std::int64_t batch, NormMode norm, VictimUse use)
      : recording_(
            recorder, network, batch,
            {.norm = norm, .input_gradient = use == VictimUse::gradients, .parameter_gradients = false}),
        classes_(network.graph().classes()) {}

  std::int64_t classes() const override { return classes_; }
  Tensor logits(const Tensor& images) override;
  LossGradient loss_gradient(const Tensor& images, const Tensor& aim) override;
  LossGradient loss(const Tensor& images, const Tensor& aim) override;

 private:
  Recording recording_;
  std::int64_t classes_;
};

/// Where there is none: throws Error (internal) whatever it is asked.
class NoVictim final : public Victim {
 public:
  std::int64_t classes() const override { refuse(); }
  Tensor logits(const Tensor&) override { refuse(); }
  LossGradient loss_gradient(const Tensor&, const Tensor&) override { refuse(); }
  LossGradient loss(const Tensor&, const Tensor&) override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    fail(ErrorKind::internal, "a perturbation of VictimUse::none asks its victim");
  }
};

}  // namespace inocula
