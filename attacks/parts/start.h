// Where attacks start.
#pragma once

#include "attacks/parts/norm.h"
#include "engine/perturbation.h"

namespace inocula::attacks {

/// Where the attack starts.
enum class Start {
  clean,    ///< at the image
  uniform,  ///< uniform in the ball: L-infinity box, L2 or L1 ball
  sphere,   ///< uniform on the L2 sphere of radius eps
  normal,   ///< kNormalStart times standard normals away, moved into ball and box: TRADES's start
};

/// Deviation of Start::normal, in units of the pixel range.
inline constexpr double kNormalStart = 0.001;

/// Records the start in `x`, like the images; norm linf, l2 or l1, sphere l2 alone.
void record_start(Recorder& r, const PerturbationPorts& ports, Start start, Norm norm, double eps,
                  const Tensor& x);

/// Records images that lie `deviation` times standard normals away, projected onto the L1 ball and the pixel
/// range together.
void record_normal_start_l1(Recorder& r, const PerturbationPorts& ports, double deviation, double eps,
                            const Tensor& x);

}  // namespace inocula::attacks
