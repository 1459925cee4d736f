// Learning rates as a function of the step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace inocula {

enum class ScheduleKind {
  constant,
  steps,       ///< times `factor` at each milestone
  cosine,      ///< half a cosine from the peak to 0 over the whole run
  triangular,  ///< linear from 0 to the peak at `turn` of the run, and back to 0
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double peak = 0.1;               ///< the learning rate that the user names
  std::vector<double> milestones;  ///< steps: fractions of the run, in (0, 1), rising
  double factor = 0.1;             ///< steps
  double turn = 0.5;               ///< triangular: fraction of the run
  double warmup = 0;               ///< fraction of the run over which the rate rises linearly to its course
};

/// Throws Error (usage) where a field is out of its range.
void check(const Schedule& schedule);

/// Rate of optimizer step `step` out of `total`, counted from 0: torch's per-step schedulers.
double learning_rate(const Schedule& schedule, std::int64_t step, std::int64_t total);

}  // namespace inocula
