// Bringing images back into an L1 ball.
#pragma once

#include "engine/perturbation.h"

namespace inocula::attacks {

/// Records the projection of `x`, like the images, onto the L1 ball of radius eps around them and the pixel
/// range, in place.
void record_project_l1(Recorder& r, const PerturbationPorts& ports, double eps, const Tensor& x);

}  // namespace inocula::attacks
