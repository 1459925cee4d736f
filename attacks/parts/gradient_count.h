// Counting the gradients that came out zero: attacks that follow gradients are blind there.
#pragma once

#include "engine/perturbation.h"
#include "engine/recorder.h"

namespace inocula::attacks {

/// Counts the rows of one gradient, and those that are zero everywhere, where the ports ask for it. Rows
/// whose `done`, (N) i32 or no tensor, is not 0 do not count.
void record_gradient_count(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient,
                           const Tensor& done);

}  // namespace inocula::attacks
