// Creating, overwriting and resuming a run's folder.
#include "io/run_folder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <vector>

#include "io/atomic_file.h"
#include "io/checkpoint.h"
#include "io/input_file.h"
#include "io/strict_json.h"

namespace inocula {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxMetricsBytes = std::uint64_t{1} << 30;
constexpr std::array kFiles = {"config.toml", "run.json",      "algorithms.json", "model.safetensors",
                               "model.json",  "metrics.jsonl", "log.txt"};
constexpr const char* kCheckpoint = "checkpoint";
constexpr const char* kLock = "lock";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

/// Of a folder and its parents, those that are not there yet, innermost first.
std::vector<std::string> missing_folders(const std::string& folder) {
  std::vector<std::string> missing;
  for (fs::path path = folder; !path.empty() && !is_there(path); path = path.parent_path())
    missing.push_back(path.string());
  return missing;
}

void remove_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(fs::symlink_status(path, error))) {
    fail(ErrorKind::cannot_create, path.string(), ": is a folder, expected a file of a run");
  }
  fs::remove(path, error);
  if (error) fail(ErrorKind::cannot_create, path.string(), ": cannot be removed: ", error.message());
}

void refuse_existing_run(const std::string& folder) {
  std::vector<std::string> names(kFiles.begin(), kFiles.end());
  names.emplace_back(kCheckpoint);
  for (const std::string& name : names) {
    if (is_there(fs::path(folder) / name)) {
      fail(ErrorKind::cannot_create, folder, ": already holds a run (", name,
           "), expected a new folder, --resume or --overwrite");
    }
  }
}

}  // namespace

RunFolder::Made::~Made() {
  if (keep) return;
  try {
    if (!checkpoint.empty()) remove_checkpoints(checkpoint);
  } catch (const Error&) {  // a folder that cannot be listed stays; what ended the run is told, not this
  }
  std::error_code ignored;
  for (const std::string& path : paths) fs::remove(path, ignored);
}

RunFolder::RunFolder(const std::string& folder, RunMode mode) : folder_(folder) {
  folders_.paths = missing_folders(folder);
  create_folder(folder);
  lock_.emplace(in_folder(kLock));
  if (mode == RunMode::fresh) refuse_existing_run(folder);
  if (mode == RunMode::overwrite) {
    for (const char* name : kFiles) remove_file(in_folder(name));
    remove_checkpoints(checkpoint());
  }
  remove_temporaries(folder, {kFiles.begin(), kFiles.end()});
  for (const char* name : kFiles)
    if (!is_there(in_folder(name))) files_.paths.push_back(in_folder(name));
  if (!is_there(checkpoint())) files_.checkpoint = checkpoint();
  metrics_.emplace(metrics_jsonl());
  log_.emplace(log_txt());
}

std::string RunFolder::in_folder(const char* name) const {
  return (fs::path(folder_) / name).string();
}

void RunFolder::truncate_metrics(std::int64_t epoch) {
  const std::string text = read_text_file(metrics_jsonl(), kMaxMetricsBytes);
  std::string kept;
  std::int64_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::string where = metrics_jsonl() + ": line " + std::to_string(number);
    try {
      if (json_value<std::int64_t>(parse_strict_json(line, where), "epoch", where) < epoch)
        kept += line + "\n";
    } catch (const Error&) {
      if (begin < text.size()) throw;  // only the last line can have been cut short
    }
  }
  write_file(metrics_jsonl(), kept);
  metrics_.emplace(metrics_jsonl());  // the old descriptor belongs to the replaced file
}

}  // namespace inocula
