// A trainer's state to and from a checkpoint on disk.
#pragma once

#include <cstdint>
#include <string>

#include "engine/trainer.h"
#include "io/checkpoint.h"

namespace inocula {

/// `config` is config.toml's text: a checkpoint belongs to one set of settings.
Checkpoint to_checkpoint(const TrainerState& state, const std::string& config);

/// Errors: config where the run was started with other settings, naming the first line that differs; bad_data
/// where the checkpoint is not one of a training run.
TrainerState from_checkpoint(const Checkpoint& checkpoint, const std::string& config);

}  // namespace inocula
