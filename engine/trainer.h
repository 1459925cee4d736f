// Training: one Program a step, replayed; state that can be saved after any step and continued to the bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/network.h"
#include "engine/objective.h"
#include "engine/optimizer.h"
#include "engine/program.h"
#include "engine/resident_images.h"
#include "engine/schedule.h"
#include "kernels/calibrate.h"
#include "kernels/step_state.h"

namespace inocula {

struct TrainerSpec {
  std::int64_t epochs = 1;
  std::int64_t batch = 64;
  OptimizerSpec optimizer;
  Schedule schedule;
  Augmentation augmentation;
  std::uint64_t seed = 0;
};

/// Everything that a step changes, by name: what a checkpoint holds.
struct TrainerState {
  struct Array {
    std::string name;
    std::vector<float> values;
  };
  std::vector<Array> arrays;
  std::int64_t step = 0;  ///< steps done
  std::int64_t batches_tracked = 0;
  TrainingTally tally;  ///< of the epoch that is under way
};

class Trainer {
 public:
  /// Records and plans the step. Throws Error (usage) where a setting makes no sense, such as a batch larger
  /// than the split. An epoch's last incomplete batch is dropped: it would distort the batch statistics.
  Trainer(Network& network, const Objective& objective, const ImageSplit& train, const TrainerSpec& spec);

  /// Of a pass over the split: each batch is taken for the objective's replays().
  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  std::int64_t epochs() const { return spec_.epochs; }
  std::int64_t total_steps() const { return steps_per_epoch_ * spec_.epochs; }
  std::int64_t step() const { return step_; }
  std::int64_t epoch() const { return step_ / steps_per_epoch_; }
  bool done() const { return step_ >= total_steps(); }
  /// Rate of the step that comes next.
  double next_learning_rate() const { return learning_rate(spec_.schedule, step_, total_steps()); }

  /// One step: nothing is allocated, nothing is read back.
  void run_step();
  /// Sums over the current epoch's steps so far: the one read from the device.
  TrainingTally tally() const;
  /// Begins the next epoch's sums.
  void clear_tally();

  Program& program() { return program_; }

  TrainerState save() const;
  /// Throws Error (bad_data) where the state is not of this network and optimizer.
  void restore(const TrainerState& state);

 private:
  /// What the objective carries from step to step, in device memory.
  struct Carried {
    std::string name;
    Buffer memory;
  };

  /// The step for the first `rows` images of a batch.
  Recorder record(const Objective& objective, std::int64_t rows) const;
  void choose_batch();
  std::vector<std::pair<std::string, const Buffer*>> buffers() const;

  Network& network_;
  const TrainerSpec spec_;
  std::int64_t replays_, statistics_updates_;
  ResidentImages images_;
  mutable Optimizer optimizer_;
  Buffer state_buffer_, tally_buffer_;
  std::vector<Carried> carried_;
  Program program_;
  std::int64_t steps_per_epoch_;
  std::int64_t step_ = 0;
  std::int64_t shuffled_epoch_ = -1;
  std::vector<std::int32_t> order_;
};

}  // namespace inocula
