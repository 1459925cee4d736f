// Corruptions of images by noise, as perturbations: what evaluation and training under corruptions record.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/perturbation.h"

namespace inocula::attacks {

/// The kinds of kernels/noise.h, where each is defined with its source.
enum class Corruption : std::uint8_t { gaussian_noise, speckle_noise, impulse_noise, shot_noise };

/// Noise of one kind and level. It asks nothing of the victim.
class NoiseCorruption final : public Perturbation {
 public:
  /// `level`: the variance of gaussian_noise and speckle_noise (0 or more), the share of values that
  /// impulse_noise replaces (0 to 1), the photons of a white pixel of shot_noise (more than 0, at most
  /// 65536). Throws Error (usage) where it is out of range.
  NoiseCorruption(Corruption kind, double level);

  VictimUse use() const override { return VictimUse::none; }
  std::string spec() const override;
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override;

 private:
  Corruption kind_;
  double level_;
};

/// A corruption ready to be recorded, with what a report says of it.
struct NamedCorruption {
  std::unique_ptr<Perturbation> perturbation;
  std::string name;
  double level = 0;
  std::optional<std::uint64_t> seed;  ///< of its random numbers, where the spec gives one

  /// Every key with its value.
  std::string spec() const;
};

/// One corruption for each value of level in a spec such as "gaussian_noise:level=0.1;0.2". Throws Error
/// (usage) naming the spec, the key and what was expected.
std::vector<NamedCorruption> parse_corruptions(const std::string& spec);

/// Every corruption with its keys, one a line.
std::string list_corruptions();

}  // namespace inocula::attacks
