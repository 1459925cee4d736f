// How far an adversarial image lies from its clean one, measured afresh rather than taken from the attack.
#pragma once

#include <cstdint>

namespace inocula {

/// Distances in double from the stored floats.
struct PerturbationNorm {
  double linf = 0;
  double l2 = 0;
  double l1 = 0;
  double l0 = 0;                   ///< pixels that differ, each channel counted
  double lowest = 0, highest = 0;  ///< range of the adversarial image
};

/// measure_perturbation: one result a row.
struct MeasurePerturbation {
  const float* x = nullptr;          ///< (rows, cols)
  const float* clean = nullptr;      ///< (rows, cols)
  PerturbationNorm* norm = nullptr;  ///< (rows)
  std::int64_t rows = 0, cols = 0;
};

/// count_zero_gradients: counts each row's gradients, and those that are 0 or NaN everywhere: an attack
/// cannot move them.
struct CountZeroGradients {
  const float* gradient = nullptr;       ///< (rows, cols)
  const std::int32_t* sample = nullptr;  ///< (rows); rows with a negative index are padding and not counted
  const std::int32_t* done = nullptr;    ///< (rows); rows where it is not 0 are not counted; may be null
  std::uint64_t* zeros = nullptr;        ///< (rows), counted up
  std::uint64_t* total = nullptr;        ///< (rows), counted up
  std::int64_t rows = 0, cols = 0;
};

}  // namespace inocula
