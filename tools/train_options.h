// Everything a training run can be told, and the settings it comes to.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/source.h"
#include "engine/task.h"
#include "engine/trainer.h"
#include "models/input.h"
#include "tools/command.h"
#include "tools/method.h"

namespace inocula {

struct TrainOptions {
  CommonOptions common;
  MethodOptions method;
  std::string data, model = "resnet18", out;
  std::string task = "auto";  ///< what the labels mean
  std::int64_t epochs = 10, batch = 64;
  std::string optimizer = "adam";
  std::optional<double> lr;  ///< 1e-3 for adam, 0.05 for sgd
  double momentum = 0.9, weight_decay = 0;
  bool nesterov = false;
  std::string schedule;  ///< cosine; fast: triangular
  std::vector<double> milestones{0.5, 0.75};
  double lr_factor = 0.1, turn = 0.5, warmup = 0;
  bool flip = false;
  std::int32_t shift = 0;
  std::vector<float> mean, std;
  std::string monitor_overfitting;  ///< true for fast and free
  std::string stop_on_overfitting;  ///< false
  bool resume = false, overwrite = false;
  double checkpoint_every = 300;  ///< seconds

  void add_flags(CLI::App& app);
  /// What happens where accuracy under attack collapses from one epoch to the next; none where it is not
  /// watched. Throws Error (usage) where the method has no attack that could be overfitted.
  enum class OnOverfitting { warn, stop };
  std::optional<OnOverfitting> on_overfitting() const;
  /// Epochs are passes over the split: with replays fewer than --epochs, so that the cost is about the same.
  /// Throws Error (usage) naming the flag that is out of range.
  TrainerSpec trainer_spec() const;
  /// What the labels of a data set mean. Throws Error (usage) where they cannot.
  Task task_for(const ImageData& images) const;
  models::InputSpec input_spec(std::int64_t channels, std::int64_t height, std::int64_t width) const;
  /// Every setting that a result depends on but the data, defaults written out, as TOML.
  std::string resolved_settings(const std::string& canonical_model, int threads) const;
  /// config.toml, which `inocula train --config` takes: where the data lay, those settings, and whether the
  /// run is watched.
  std::string resolved_toml(const std::string& settings) const;

 private:
  std::string schedule_word() const;
};

}  // namespace inocula
