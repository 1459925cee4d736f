// model.json: what a trained network is, beside its weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/task.h"

namespace inocula {

/// A card needs architecture, classes and input shape; the rest has these defaults, mean and deviation
/// kUsualNormalisation (engine/source.h).
struct ModelCard {
  std::string spec;          ///< architecture, such as "resnet18:width=16"
  std::int64_t classes = 0;  ///< logits: of several labels an image their number
  Task task = Task::multi_class;
  std::int64_t channels = 0, height = 0, width = 0;
  std::vector<float> mean, deviation;  ///< (channels), of pixels in [0, 1]
  std::string method = "unknown";      ///< how it was trained, such as "pgd"
  std::uint64_t seed = 0;
  std::string config_hash;

  bool operator==(const ModelCard&) const = default;
};

/// Errors: no_input as InputFile; bad_data naming file and key when one is missing that has no default, is
/// unknown or out of range.
ModelCard read_model_card(const std::string& path);

/// Errors: cannot_create and io as AtomicFile.
void write_model_card(const std::string& path, const ModelCard& card);

struct ModelFiles {
  std::string weights;  ///< model.safetensors
  std::string card;     ///< model.json beside it
};

/// From a run folder, or from the path of a .safetensors file. Errors: no_input when one of the two is
/// missing; bad_data for another file.
ModelFiles find_model(const std::string& path);

}  // namespace inocula
