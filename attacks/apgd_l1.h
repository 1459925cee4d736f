// Auto-PGD in the L1 norm: sparse ascent through shrinking balls.
#pragma once

#include <cstdint>

#include "attacks/parts/attack_loss.h"
#include "engine/perturbation.h"

namespace inocula::attacks {

/// Croce, Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML 2021:
/// kernels/sparse_apgd.h says what a step does and how each sample chooses its length and sparsity; after
/// each the image is projected onto ball and pixel range together. 30 % of the steps, rounded down, are taken
/// in a ball of three times the radius, as many in one of twice the radius, the rest in that of eps; each
/// part begins with the best of the one before, projected, the first at the projection of standard normals.
/// Checks are 4 % of a part's steps apart. Answers the first iterate of the last part that is taken for
/// another class than the label, else its iterate of highest loss.
Tensor record_apgd_l1(Recorder& r, Victim& victim, const PerturbationPorts& ports, const Aim& aim, double eps,
                      std::int64_t steps);

}  // namespace inocula::attacks
