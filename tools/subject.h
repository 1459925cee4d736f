// What evaluate, predict and attack have in common: a trained model and the split that it is asked about.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/network.h"
#include "engine/source.h"
#include "io/model_card.h"
#include "tools/command.h"

namespace inocula {

struct SubjectOptions {
  CommonOptions common;
  std::string model, data, split = "test";
  std::int64_t batch = 64;

  void add_flags(CLI::App& app);
};

/// Everything opened and found to fit together.
struct Subject {
  /// Errors: usage for a missing flag; no_input and bad_data as the files have it; bad_data where the data's
  /// images or classes are not the model's, naming both.
  explicit Subject(const SubjectOptions& options);

  Device device;
  ModelCard card;
  std::unique_ptr<Network> network;
  ImageData data;
  const ImageSplit* split = nullptr;
};

}  // namespace inocula
