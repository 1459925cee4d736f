// Projected gradient descent and its one-step ancestor, the fast gradient sign method.
#pragma once

#include <cstdint>
#include <string>

#include "engine/perturbation.h"
#include "kernels/targets.h"

namespace inocula::attacks {

enum class Norm { linf, l2 };
std::string to_string(Norm norm);

/// Where the attack starts.
enum class Start {
  clean,    ///< at the image
  uniform,  ///< uniform in the ball: L-infinity box or L2 ball
  sphere,   ///< uniform on the L2 sphere of radius eps
  normal,   ///< kNormalStart times standard normals away, moved into ball and box: TRADES's start
};

/// Deviation of Start::normal, in units of the pixel range.
inline constexpr double kNormalStart = 0.001;

/// What the attack climbs.
enum class AttackLoss {
  cross_entropy,
  divergence,  ///< KL(p(x) || p(x')): how far the answer is from that to the image itself; needs no label
};

/// What is handed on of a run's iterates.
enum class Iterate {
  last,
  best,  ///< per sample the one of highest loss, start and end included
};

/// Whom the attack wants to be mistaken for.
struct Target {
  bool targeted = false;
  TargetRule rule = TargetRule::given;
  std::int32_t given = 0;
};

/// x_{t+1} = clip(project(x_t + alpha dir(g))), dir = sign for L-infinity and g / ||g||_2 for L2, g the
/// gradient of the summed loss; towards the target's class where there is one. Several restarts
/// keep, per sample, a candidate that reaches the aim, the one of highest score among equals. Goodfellow et
/// al., ICLR 2015 (FGSM: alpha = eps, one step from the image); Kurakin et al., 2017 (BIM: from the image);
/// Madry et al., ICLR 2018; with the divergence Zhang et al., ICML 2019. The divergence's gradient is zero at
/// the image itself, so that it needs a start elsewhere; p(x) is computed once, before the first step.
struct PgdSpec {
  Norm norm = Norm::linf;
  double eps = 8.0 / 255;     ///< radius, in units of the pixel range [0, 1]; linf at most 1
  double alpha = 2.0 / 255;   ///< step length, above 0
  std::int64_t steps = 10;    ///< at least 1
  std::int64_t restarts = 1;  ///< at least 1; more than one needs a random start
  Start start = Start::uniform;
  Iterate iterate = Iterate::last;
  Target target;  ///< of the cross-entropy
  AttackLoss loss = AttackLoss::cross_entropy;
};

class Pgd final : public Perturbation {
 public:
  /// Throws Error (usage) naming the field that is out of range.
  explicit Pgd(const PgdSpec& spec, std::string name = "pgd");

  const PgdSpec& pgd() const { return spec_; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  Tensor record_target(Recorder& r, Victim& victim, const PerturbationPorts& ports) const;
  void record_start(Recorder& r, const PerturbationPorts& ports, const Tensor& x) const;
  void record_step(Recorder& r, const PerturbationPorts& ports, const Tensor& gradient,
                   const Tensor& x) const;

  PgdSpec spec_;
  std::string name_;
};

}  // namespace inocula::attacks
