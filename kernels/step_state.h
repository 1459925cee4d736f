// The few numbers that change from step to step; they live in device memory and kernels read them by pointer.
//
// Whatever a captured step takes by value is frozen for ever, so nothing here may travel as an argument.
#pragma once

#include <cstdint>

namespace inocula {

struct StepState {
  std::uint64_t seed = 0;     ///< the run's seed: key of every random number
  std::uint32_t step = 0;     ///< optimizer steps taken; evaluation leaves it at 0
  std::uint32_t restart = 0;  ///< which restart of an attack is running
  float learning_rate = 0;
  float adam_correction1 = 1;  ///< 1 - beta1^t, t counted from 1
  float adam_correction2 = 1;  ///< 1 - beta2^t
  std::uint32_t batch = 0;     ///< batches drawn before this one; a batch may be used in several steps
};

}  // namespace inocula
