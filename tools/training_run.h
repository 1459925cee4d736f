// One training run, as `inocula train` and the parts of a study do it.
#pragma once

#include "tools/train_options.h"

namespace inocula {

/// Trains into the folder options.out; with options.resume a run that is done is only written down again.
/// Throws Error: usage and bad_data for what cannot be trained; interrupted after a checkpoint, where the
/// process was asked to stop; internal where training diverges.
void train(const TrainOptions& options);

}  // namespace inocula
