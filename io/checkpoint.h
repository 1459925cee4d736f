// Checkpoints that are either whole or not there, whatever moment the process dies at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/array.h"

namespace inocula {

struct Checkpoint {
  Arrays tensors;
  std::string state_json;  ///< the caller's own UTF-8 text, returned as it was, at most 4 MiB
  std::uint64_t step = 0;
};

/// A folder of checkpoints with one writer. Number n is checkpoint-n.safetensors and, written after it,
/// checkpoint-n.json with the checksums of both; it exists once the latter does. The last two are kept.
class CheckpointStore {
 public:
  /// Creates the folder where missing and removes what an interrupted save left. Errors: cannot_create.
  explicit CheckpointStore(const std::string& folder);

  /// Errors: io when the disk has not enough room (before anything is written) or writing breaks off;
  /// cannot_create. Earlier checkpoints stay as they are in each case.
  void save(const Checkpoint& checkpoint);

  /// The newest checkpoint whose checksums agree, or none. `warning` becomes one line for each newer one that
  /// was passed over and why, or empty.
  std::optional<Checkpoint> load_latest(std::string* warning);

 private:
  std::string folder_;
  std::uint64_t newest_ = 0;                 ///< highest number in use
  std::optional<std::uint64_t> known_good_;  ///< last number that this object saved or verified
};

/// Step of the newest checkpoint in a folder whose checksums agree; none where there is none or no folder.
/// Nothing is changed there.
std::optional<std::uint64_t> newest_checkpoint_step(const std::string& folder);

/// Removes a store's own files, and the folder if nothing else is in it.
void remove_checkpoints(const std::string& folder);

}  // namespace inocula
