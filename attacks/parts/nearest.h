// What attacks share that look for the nearest adversarial image: keeping it, per sample.
#pragma once

#include "attacks/parts/attack_loss.h"
#include "engine/perturbation.h"
#include "engine/recorder.h"
#include "kernels/nearest.h"

namespace inocula::attacks {

/// The nearest image so far that reached the aim; the clean one, infinitely far, where none did.
struct Nearest {
  Tensor x;         ///< like the images
  Tensor distance;  ///< (N)
  Distance norm = Distance::l2;
};

Nearest record_nearest(Recorder& r, const PerturbationPorts& ports, Distance norm);
void record_keep_nearest(Recorder& r, const PerturbationPorts& ports, const Tensor& x, const Tensor& hit,
                         const Nearest& nearest);
/// The attack's answer: rows that lie beyond their eps, which may be infinite, are clean again.
Tensor record_within(Recorder& r, const PerturbationPorts& ports, const Nearest& nearest, double eps);

}  // namespace inocula::attacks
