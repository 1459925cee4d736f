// What a run of projected gradient descent, or of one of its relatives, is to do; and the texts that say so.
#pragma once

#include <cstdint>
#include <string>

#include "attacks/parts/attack_loss.h"
#include "attacks/parts/norm.h"
#include "attacks/parts/start.h"
#include "attacks/parts/target.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// What is handed on of a run's iterates.
enum class Iterate {
  last,
  best,  ///< per sample the one of highest loss, start and end included
};

/// x_{t+1} = clip(project(x_t + alpha dir(g))), dir = sign for L-infinity and g / ||g||_2 for L2, g the
/// gradient of the summed loss; for L1 dir is the sign on the largest coordinates, in equal parts of norm 1
/// (kernels/sparse_move.h), and the projection is that onto ball and pixel range together; towards the
/// target's class where there is one. Several restarts keep, per sample, a candidate that reaches the aim,
/// the one of highest score among equals. Goodfellow et al., ICLR 2015 (FGSM: alpha = eps, one step from the
/// image); Kurakin et al., 2017 (BIM: from the image); Madry et al., ICLR 2018; with the divergence Zhang et
/// al., ICML 2019; in L1 Tramer, Boneh, NeurIPS 2019. The divergence's gradient is zero at the image itself,
/// so that it needs a start elsewhere; p(x) is computed once, before the first step.
struct PgdSpec {
  Norm norm = Norm::linf;
  double eps = 8.0 / 255;     ///< radius, in units of the pixel range [0, 1]; linf at most 1
  double alpha = 2.0 / 255;   ///< step length in the norm, above 0
  std::int64_t steps = 10;    ///< at least 1
  std::int64_t restarts = 1;  ///< at least 1; more than one needs a random start
  Start start = Start::uniform;
  Iterate iterate = Iterate::last;
  Target target = {};
  AttackLoss loss = AttackLoss::cross_entropy;
  /// mu: what is followed is m <- mu m + g / ||g||_1 rather than g; 0 has none (Dong et al., CVPR 2018).
  double momentum = 0;
  /// Of L1: the share of the coordinates that a step leaves alone; at least 0, below 1. One always moves.
  double sparsity = 0.99;
};

/// Step of fgsm-rs in radii (Wong et al., ICLR 2020).
inline constexpr double kFgsmRsStep = 1.25;
/// Momentum of mifgsm.
inline constexpr double kMifgsmDecay = 1.0;

/// Reads pgd, fgsm, fgsm-rs, bim or mifgsm at one radius. Throws Error (usage) naming the spec and the key.
PgdSpec parse_pgd_spec(const Spec& s, double eps);
/// What `name` does without an eps in its spec: torchattacks' 8/255, in L2 1, in L1 AutoAttack's 12.
double usual_pgd_eps(const Spec& s);
/// Throws Error (usage) naming the field that is out of range.
void check_pgd_spec(const PgdSpec& spec, const std::string& name);
/// Every key that `name` has, with its value.
std::string to_string(const PgdSpec& spec, const std::string& name);

}  // namespace inocula::attacks
