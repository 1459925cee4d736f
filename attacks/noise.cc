// Recording noise of a radius.
#include "attacks/noise.h"

#include "attacks/spec_keys.h"
#include "attacks/start.h"
#include "engine/error.h"
#include "engine/spec.h"

namespace inocula::attacks {

RandomNoise::RandomNoise(const NoiseSpec& spec) : spec_(spec) {
  check_ball("noise", spec.norm, spec.eps);
}

std::string RandomNoise::spec() const {
  return "noise:norm=" + to_string(spec_.norm) + ",eps=" + format_number(spec_.eps);
}

Tensor RandomNoise::record(Recorder& r, Victim&, const PerturbationPorts& ports) const {
  const Tensor x = r.make("noisy images", ports.images.shape);
  record_start(r, ports, spec_.norm == Norm::l2 ? Start::sphere : Start::uniform, spec_.norm, spec_.eps, x);
  return x;
}

}  // namespace inocula::attacks
