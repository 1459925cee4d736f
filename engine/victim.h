// What an attack may ask of the model it attacks: logits, and the loss's gradient with respect to the images.
#pragma once

#include "engine/error.h"
#include "engine/recording.h"
#include "engine/tensor.h"

namespace inocula {

/// What an attack's loss compares the answers with: one of the two.
struct Aim {
  Tensor label = {};      ///< (N) i32, labels or targets: the loss is the cross-entropy against them
  Tensor reference = {};  ///< (N, K) logits: the loss is KL(softmax(reference) || softmax(logits))
};

/// Loss and gradient of one recorded query.
struct LossGradient {
  Tensor gradient;   ///< plain (N, C, H, W): of the loss *summed* over the batch
  Tensor loss;       ///< (N): of each image against the aim
  Tensor predicted;  ///< (N) i32: arg max of the logits
};

class Victim {
 public:
  virtual ~Victim() = default;

  virtual std::int64_t classes() const = 0;
  /// Records a forward pass: (N, K) logits.
  virtual Tensor logits(const Tensor& images) = 0;
  /// Records forward and backward of the loss against `aim`.
  virtual LossGradient loss_gradient(const Tensor& images, const Aim& aim) = 0;
  /// Records a forward pass and the loss against `aim`, without a gradient.
  virtual LossGradient loss(const Tensor& images, const Aim& aim) = 0;
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
  LossGradient loss_gradient(const Tensor& images, const Aim& aim) override;
  LossGradient loss(const Tensor& images, const Aim& aim) override;

 private:
  Recording recording_;
  std::int64_t classes_;
};

/// Where there is none: throws Error (internal) whatever it is asked.
class NoVictim final : public Victim {
 public:
  std::int64_t classes() const override { refuse(); }
  Tensor logits(const Tensor&) override { refuse(); }
  LossGradient loss_gradient(const Tensor&, const Aim&) override { refuse(); }
  LossGradient loss(const Tensor&, const Aim&) override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    fail(ErrorKind::internal, "a perturbation of VictimUse::none asks its victim");
  }
};

}  // namespace inocula
