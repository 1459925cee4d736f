// A random starting point in an image's L1 ball.
#pragma once

#include "kernels/start.h"

namespace inocula {

/// start_uniform_l1 (RandomStart): clip(clean + z), z uniform in the L1 ball: of cols + 1 exponentials,
/// divided by their sum, the first cols, each with a random sign (Barthe, Guedon, Mendelson, Naor, "A
/// probabilistic approach to the geometry of the l_p^n-ball", 2005). Stored differences sum to eps at most.

}  // namespace inocula
