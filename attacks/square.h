// The Square attack: a random search that asks for logits alone.
#pragma once

#include <cstdint>
#include <string>

#include "attacks/parts/norm.h"
#include "engine/perturbation.h"
#include "engine/spec.h"

namespace inocula::attacks {

/// Andriushchenko, Croce, Flammarion, Hein, "Square Attack", ECCV 2020, with the paper's start and windows;
/// kernels/square.h says what a turn does. Each query asks for one image a sample; a batch is done when all
/// its samples are broken. What is found is the image of highest margin.
struct SquareSpec {
  Norm norm = Norm::linf;       ///< linf or l2
  double eps = 8.0 / 255;       ///< radius, in units of the pixel range [0, 1]; linf at most 1
  std::int64_t queries = 5000;  ///< at least 1, the start among them; at most 10^7
  double p = 0.8;               ///< share of the pixels in the first windows, above 0 and at most 1
  /// Whether windows shrink over these queries as the paper's over 10,000, rather than by their numbers.
  bool rescale = false;
};

/// Throws Error (usage) naming the spec and the key.
SquareSpec parse_square_spec(const Spec& s, double eps);
/// Without an eps in the spec: 8/255, in L2 1.
double usual_square_eps(const Spec& s);

class Square final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit Square(const SquareSpec& spec);

  VictimUse use() const override { return VictimUse::logits; }
  Bound bound() const override { return {distance_of(spec_.norm), spec_.eps}; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  SquareSpec spec_;
};

}  // namespace inocula::attacks
