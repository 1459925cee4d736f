// The folder that one training run writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/folder_lock.h"
#include "io/line_file.h"

namespace inocula {

enum class RunMode {
  fresh,      ///< refuses a folder that already holds a run
  overwrite,  ///< removes the run that is there, and nothing else
  resume,     ///< goes on with what is there, or starts anew
};

/// A start that comes to nothing leaves nothing: until keep() is called, the end of the object removes what
/// was not there before it, the folder itself and its parents included.
class RunFolder {
 public:
  /// Creates the folder where missing and locks it against other processes. Errors: cannot_create when `mode`
  /// is fresh and a run is there, when another process is at work in the folder, or when it is not writable.
  RunFolder(const std::string& folder, RunMode mode);

  /// To be called once there is something to go on from: a checkpoint.
  void keep() { folders_.keep = files_.keep = true; }

  const std::string& path() const { return folder_; }
  std::string config_toml() const { return in_folder("config.toml"); }
  std::string run_json() const { return in_folder("run.json"); }
  std::string algorithms_json() const { return in_folder("algorithms.json"); }
  std::string model_safetensors() const { return in_folder("model.safetensors"); }
  std::string model_json() const { return in_folder("model.json"); }
  std::string metrics_jsonl() const { return in_folder("metrics.jsonl"); }
  std::string checkpoint() const { return in_folder("checkpoint"); }
  std::string log_txt() const { return in_folder("log.txt"); }

  /// One JSON object, with the key "epoch". Errors: as LineFile.
  void append_metrics(const std::string& json_line) { metrics_->append(json_line); }
  void append_log(const std::string& line) { log_->append(line); }

  /// Keeps only the metrics of epochs below `epoch`, for resuming there; a last line cut short is dropped.
  /// Errors: bad_data naming another line that is not as append_metrics writes it; io.
  void truncate_metrics(std::int64_t epoch);

 private:
  /// Paths that this object made and that go with it unless they are kept; folders only if empty.
  struct Made {
    ~Made();
    std::vector<std::string> paths;
    std::string checkpoint;  ///< a store's folder, its files included; empty for none
    bool keep = false;
  };

  std::string in_folder(const char* name) const;

  std::string folder_;
  Made folders_;
  std::optional<FolderLock> lock_;
  Made files_;  ///< go while the lock is held, the folders once its file is gone
  std::optional<LineFile> metrics_, log_;
};

}  // namespace inocula
