// Where a training run stands, to and from a checkpoint on disk.
#pragma once

#include <cstdint>
#include <string>

#include "engine/trainer.h"
#include "io/checkpoint.h"
#include "tools/overfitting_monitor.h"

namespace inocula {

/// What a checkpoint belongs to.
struct RunIdentity {
  std::string settings;     ///< TrainOptions::resolved_settings
  std::string data_digest;  ///< training_digest: content, because a path says nothing about what lies there
};

/// What a run goes on from.
struct RunState {
  TrainerState trainer;
  OverfittingState overfitting;
};

Checkpoint to_checkpoint(const RunState& state, const RunIdentity& identity);

/// Errors: config where the run was started with other settings, naming the first line that differs, or with
/// other data; bad_data where the checkpoint is not one of a training run.
RunState from_checkpoint(const Checkpoint& checkpoint, const RunIdentity& identity);

}  // namespace inocula
