// Which statistics batch normalisation uses in a recording.
#pragma once

namespace inocula {

enum class NormMode {
  frozen,           ///< running statistics, untouched: evaluation, and attacks by default
  batch,            ///< statistics of the batch; the running ones are updated: training
  batch_no_update,  ///< statistics of the batch; the running ones stay: attacks on request
};

}  // namespace inocula
