// What an attack climbs, and its gradient by the images.
#pragma once

#include <cstdint>
#include <string>

#include "engine/perturbation.h"

namespace inocula::attacks {

enum class AttackLoss {
  cross_entropy,  ///< of several labels an image the binary one, summed over them
  divergence,     ///< KL(p(x) || p(x')): how far the answer is from that to the image itself; needs no label
  margin,         ///< another class's logit less the label's
  dlr,            ///< the margin in units of the spread of the logits
};

/// Throws Error (usage) naming `attack` where so few classes do not have this loss.
void check_loss(AttackLoss loss, bool targeted, std::int64_t classes, const std::string& attack);

/// What the answers are compared with.
struct Aim {
  AttackLoss loss = AttackLoss::cross_entropy;
  /// (N) i32, or (N, L) of several labels. Of the cross-entropy the class that it is taken against: the
  /// label, or the target.
  Tensor label = {};
  Tensor target = {};     ///< (N) i32 of margin and dlr: the class that shall win; none takes the likeliest
  Tensor reference = {};  ///< (N, K) of the divergence: the logits of the images themselves
};

/// Loss and gradient of one recorded query.
struct LossGradient {
  Tensor gradient;   ///< plain (N, C, H, W): of the loss *summed* over the batch
  Tensor loss;       ///< (N): of each image against the aim
  Tensor predicted;  ///< (N) i32: arg max of the logits
};

/// Records forward and backward. Throws Error (usage) where the network has too few classes for the loss, or
/// images have several labels and it is not the cross-entropy.
LossGradient record_loss_gradient(Recorder& r, Victim& victim, const Tensor& images, const Aim& aim);
/// Records a forward pass and the loss, without a gradient.
LossGradient record_loss(Recorder& r, Victim& victim, const Tensor& images, const Aim& aim);

/// How candidates did, image by image.
struct Judged {
  Tensor score;  ///< (N): what the attack raises
  Tensor hit;    ///< (N) i32: 1 where the answer is not the label, or, with a target, is the target
};
/// Records the judgement; `target` may be no tensor, and an attack that `descends` raises -loss.
Judged record_judge(Recorder& r, const PerturbationPorts& ports, const Tensor& target, bool descends,
                    const LossGradient& found);
/// (N) i32: whether each answer reaches the aim: not the label, or, with a target, the target.
Tensor record_hits(Recorder& r, const PerturbationPorts& ports, const Tensor& target,
                   const LossGradient& found);

}  // namespace inocula::attacks
