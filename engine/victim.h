// What an attack may ask of the model it attacks: logits, and gradients of what it makes of them.
#pragma once

#include <memory>

#include "engine/error.h"
#include "engine/recording.h"
#include "engine/tensor.h"

namespace inocula {

/// One recorded forward pass of which gradients can be asked, as often as wanted.
struct Query {
  Tensor logits;  ///< (N, K)
  std::shared_ptr<ForwardTrace> trace;
};

class Victim {
 public:
  virtual ~Victim() = default;

  virtual std::int64_t classes() const = 0;
  /// Records a forward pass: (N, K) logits.
  virtual Tensor logits(const Tensor& images) = 0;
  /// Records a forward pass and keeps what its gradients need.
  virtual Query query(const Tensor& images) = 0;
  /// Records a backward pass: plain (N, C, H, W), the gradient by the images of sum over n and k of
  /// dlogits[n][k] logits[n][k].
  virtual Tensor gradient(const Query& query, const Tensor& dlogits) = 0;
};

/// What a perturbation asks; with none there need not be a network.
enum class VictimUse { none, logits, gradients };

/// One of our networks; `norm` is frozen unless the user asks for an attack in training mode. With
/// less than VictimUse::gradients nothing is kept or prepared for gradients, and gradient() must not be
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
  Query query(const Tensor& images) override;
  Tensor gradient(const Query& query, const Tensor& dlogits) override;

 private:
  Recording recording_;
  std::int64_t classes_;
};

/// Where there is none: throws Error (internal) whatever it is asked.
class NoVictim final : public Victim {
 public:
  std::int64_t classes() const override { refuse(); }
  Tensor logits(const Tensor&) override { refuse(); }
  Query query(const Tensor&) override { refuse(); }
  Tensor gradient(const Query&, const Tensor&) override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    fail(ErrorKind::internal, "a perturbation of VictimUse::none asks its victim");
  }
};

}  // namespace inocula
