// Strict reading and writing of model.json.
#include "io/model_card.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/source.h"
#include "io/atomic_file.h"
#include "io/input_file.h"
#include "io/strict_json.h"

namespace inocula {
namespace {

using nlohmann::json;

constexpr std::uint64_t kVersion = 1;
constexpr std::int64_t kMaxExtent = 65536;
constexpr const char* kKeys[] = {"version", "model", "classes", "task",   "channels", "height",
                                 "width",   "mean",  "std",     "method", "seed",     "config_hash"};

std::int64_t read_extent(const json& object, const char* key, const std::string& path,
                         std::int64_t least = 1) {
  const auto value = json_value<std::int64_t>(object, key, path);
  if (value < least || value > kMaxExtent) {
    fail(ErrorKind::bad_data, path, ": key '", key, "' is ", value, ", expected ", least, " to ", kMaxExtent);
  }
  return value;
}

/// Read only where it is there: a card for weights from elsewhere says what it takes to build the network.
template <class T>
T optional_value(const json& object, const char* key, const std::string& path, const T& absent) {
  return object.contains(key) ? json_value<T>(object, key, path) : absent;
}

std::vector<float> read_channels(const json& object, const char* key, std::int64_t channels,
                                 const std::string& path) {
  const std::vector<double> usual(static_cast<std::size_t>(channels), kUsualNormalisation);
  const auto values = optional_value(object, key, path, usual);
  if (values.size() != static_cast<std::size_t>(channels)) {
    fail(ErrorKind::bad_data, path, ": key '", key, "' has ", values.size(),
         " numbers, expected one for each of ", channels, " channels");
  }
  std::vector<float> result(values.begin(), values.end());
  for (const float value : result) {
    if (!std::isfinite(value))
      fail(ErrorKind::bad_data, path, ": key '", key, "' holds a number out of range");
  }
  return result;
}

Task read_task(const json& object, const std::string& path) {
  const auto word = optional_value<std::string>(object, "task", path, to_string(Task::multi_class));
  for (const Task task : {Task::multi_class, Task::ordinal, Task::multi_label})
    if (word == to_string(task)) return task;
  fail(ErrorKind::bad_data, path, ": key 'task' is '", word,
       "', expected multi-class, ordinal or multi-label");
}

std::string known_keys() {
  std::string text;
  for (const char* key : kKeys) text += (text.empty() ? "" : ", ") + std::string(key);
  return text;
}

}  // namespace

ModelCard read_model_card(const std::string& path) {
  const json object = parse_strict_json(read_text_file(path, kMaxJsonBytes), path);
  if (const auto version = optional_value(object, "version", path, kVersion); version != kVersion) {
    fail(ErrorKind::bad_data, path, ": key 'version' is ", version, ", expected ", kVersion);
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys)) {
      // Passed over, a misspelt "mean" would be a model that sees other pixels than it was trained on.
      fail(ErrorKind::bad_data, path, ": key '", key, "' is unknown, expected only ", known_keys());
    }
  }
  ModelCard card;
  card.spec = json_value<std::string>(object, "model", path);
  card.classes = read_extent(object, "classes", path, 2);
  card.task = read_task(object, path);
  card.channels = read_extent(object, "channels", path);
  card.height = read_extent(object, "height", path);
  card.width = read_extent(object, "width", path);
  card.mean = read_channels(object, "mean", card.channels, path);
  card.deviation = read_channels(object, "std", card.channels, path);
  for (const float value : card.deviation) {
    if (!(value > 0)) fail(ErrorKind::bad_data, path, ": key 'std' holds ", value, ", expected above 0");
  }
  card.method = optional_value(object, "method", path, card.method);
  card.seed = optional_value(object, "seed", path, card.seed);
  card.config_hash = optional_value(object, "config_hash", path, card.config_hash);
  return card;
}

void write_model_card(const std::string& path, const ModelCard& card) {
  const nlohmann::ordered_json object = {
      {"version", kVersion},          {"model", card.spec},        {"classes", card.classes},
      {"task", to_string(card.task)}, {"channels", card.channels}, {"height", card.height},
      {"width", card.width},          {"mean", card.mean},         {"std", card.deviation},
      {"method", card.method},        {"seed", card.seed},         {"config_hash", card.config_hash}};
  write_file(path, json_text(object, path, 2) + "\n");
}

ModelFiles find_model(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path given(path);
  const bool folder = fs::is_directory(given, ignored);
  if (!folder && fs::exists(given, ignored) && given.extension() != ".safetensors")
    fail(ErrorKind::bad_data, path, ": expected a run folder or a .safetensors file");
  const fs::path weights = folder ? given / "model.safetensors" : given;
  const fs::path card = weights.parent_path() / "model.json";
  for (const fs::path& file : {weights, card}) {
    if (!fs::exists(file, ignored)) {
      fail(ErrorKind::no_input, file.string(),
           ": is missing, expected a run folder or weights beside their model.json");
    }
  }
  return {weights.string(), card.string()};
}

}  // namespace inocula
