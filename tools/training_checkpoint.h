// A trainer's state to and from a checkpoint on disk.
#pragma once

#include <cstdint>
#include <string>

#include "engine/trainer.h"
#include "io/checkpoint.h"

namespace inocula {

/// What a checkpoint belongs to.
struct RunIdentity {
  std::string settings;     ///< TrainOptions::resolved_settings
  std::string data_digest;  ///< training_digest: content, because a path says nothing about what lies there
};

Checkpoint to_checkpoint(const TrainerState& state, const RunIdentity& identity);

/// Errors: config where the run was started with other settings, naming the first line that differs, or with
/// other data; bad_data where the checkpoint is not one of a training run.
TrainerState from_checkpoint(const Checkpoint& checkpoint, const RunIdentity& identity);

}  // namespace inocula
