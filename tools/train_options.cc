// Flags of `inocula train`, and config.toml.
#include "tools/train_options.h"

#include <cmath>
#include <sstream>

#include "engine/error.h"

namespace inocula {

namespace {

ScheduleKind parse_schedule(const std::string& text) {
  if (text == "constant") return ScheduleKind::constant;
  if (text == "steps") return ScheduleKind::steps;
  if (text == "cosine") return ScheduleKind::cosine;
  if (text == "triangular") return ScheduleKind::triangular;
  fail(ErrorKind::usage, "--schedule is '", text, "', expected constant, steps, cosine or triangular");
}

/// A flag that may be missing: then what it is by default.
bool parse_truth(const char* flag, const std::string& text, bool by_default) {
  if (!text.empty() && text != "true" && text != "false")
    fail(ErrorKind::usage, flag, " is '", text, "', expected true or false");
  return text.empty() ? by_default : text == "true";
}

std::string quoted(const std::string& text) {
  std::string q = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') q += '\\';
    q += c;
  }
  return q + "\"";
}

bool is_bare(const std::string& text) {
  return text == "true" || text == "false" ||
         (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos);
}

template <class T>
std::string number_list(const std::vector<T>& values) {
  std::ostringstream text;
  text.precision(9);
  for (std::size_t i = 0; i < values.size(); ++i) text << (i == 0 ? "[" : ", ") << values[i];
  return values.empty() ? "[]" : text.str() + "]";
}

}  // namespace

void TrainOptions::add_flags(CLI::App& app) {
  app.add_option("--data", data, "Images: .npz in MedMNIST's layout, or HDF5");
  app.add_option("--model", model, "Model such as resnet18:width=16 or small_cnn")->capture_default_str();
  app.add_option("--out", out, "Run folder to write");
  app.add_option("--task", task,
                 "What labels mean: multi-class, ordinal (classes are grades), multi-label, or auto: "
                 "multi-label where an image has several labels, else multi-class")
      ->capture_default_str();
  method.add_flags(app);
  app.add_option("--epochs", epochs, "Passes over the training split; free makes epochs/replays of them")
      ->capture_default_str();
  app.add_option("--batch", batch, "Images a step")->capture_default_str();
  app.add_option("--optimizer", optimizer, "adam or sgd")->capture_default_str();
  app.add_option("--lr", lr, "Peak learning rate: 0.001 (adam) or 0.05 (sgd)");
  app.add_option("--momentum", momentum, "Momentum of sgd")->capture_default_str();
  app.add_flag("--nesterov,!--no-nesterov", nesterov, "Nesterov's momentum");
  app.add_option("--weight-decay", weight_decay, "L2 penalty, added to the gradient")->capture_default_str();
  app.add_option("--schedule", schedule,
                 "constant, steps, cosine (the default) or triangular (fast's default)");
  app.add_option("--milestones", milestones, "steps: fractions of the run at which the rate falls")
      ->capture_default_str();
  app.add_option("--lr-factor", lr_factor, "steps: what the rate is multiplied by")->capture_default_str();
  app.add_option("--turn", turn, "triangular: fraction of the run at the peak")->capture_default_str();
  app.add_option("--warmup", warmup, "Fraction of the run over which the rate rises from 0")
      ->capture_default_str();
  app.add_flag("--flip,!--no-flip", flip, "Flip training images left to right at random");
  app.add_option("--shift", shift, "Shift training images by up to so many pixels")->capture_default_str();
  app.add_option("--mean", mean, "Normalisation inside the model, one a channel: 0.5");
  app.add_option("--std", std, "Normalisation inside the model, one a channel: 0.5");
  app.add_flag("--monitor-overfitting,!--no-monitor-overfitting", monitor_overfitting,
               "Measure accuracy under PGD-5 on a training batch after each epoch: true for fast and free");
  app.add_flag(
      "--stop-on-overfitting,!--no-stop-on-overfitting", stop_on_overfitting,
      "End the run where that accuracy falls by over 20 points; the model is that of the epoch before");
  app.add_flag("--resume", resume, "Go on from the latest whole checkpoint, or start anew");
  app.add_flag("--overwrite", overwrite, "Replace a run that is in the folder");
  app.add_option("--checkpoint-every", checkpoint_every, "Seconds between checkpoints inside an epoch")
      ->capture_default_str();
  add_common(app, common);
}

std::optional<TrainOptions::OnOverfitting> TrainOptions::on_overfitting() const {
  if (!method.ball()) {
    for (const auto& [flag, text] : {std::pair{"--monitor-overfitting", &monitor_overfitting},
                                     std::pair{"--stop-on-overfitting", &stop_on_overfitting}})
      if (!text->empty())
        fail(ErrorKind::usage, flag, " watches accuracy under attack, but --method ", method.method,
             " has no attack; expected --method ", methods_with("--eps"));
    return std::nullopt;
  }
  const bool stop = parse_truth("--stop-on-overfitting", stop_on_overfitting, false);
  const bool by_default = stop || method.method == "fast" || method.method == "free";
  const bool watch = parse_truth("--monitor-overfitting", monitor_overfitting, by_default);
  if (stop && !watch)
    fail(ErrorKind::usage, "--stop-on-overfitting needs --monitor-overfitting, expected it not to be off");
  if (!watch) return std::nullopt;
  return stop ? OnOverfitting::stop : OnOverfitting::warn;
}

TrainerSpec TrainOptions::trainer_spec() const {
  TrainerSpec s;
  if (epochs < 1) fail(ErrorKind::usage, "--epochs is ", epochs, ", expected at least 1");
  const std::int64_t replays = method.replays_of_a_batch();
  s.epochs = epochs / replays + (epochs % replays > 0 ? 1 : 0);
  s.batch = batch;
  s.seed = common.seed;
  s.augmentation = {flip, shift};
  if (!(checkpoint_every >= 0) || !std::isfinite(checkpoint_every))
    fail(ErrorKind::usage, "--checkpoint-every is ", checkpoint_every, ", expected seconds, 0 or more");
  if (optimizer != "adam" && optimizer != "sgd")
    fail(ErrorKind::usage, "--optimizer is '", optimizer, "', expected adam or sgd");
  const bool adam = optimizer == "adam";
  s.optimizer.kind = adam ? OptimizerKind::adam : OptimizerKind::sgd;
  s.optimizer.momentum = static_cast<float>(momentum);
  s.optimizer.nesterov = nesterov;
  s.optimizer.decay = static_cast<float>(weight_decay);
  s.schedule = {.kind = parse_schedule(schedule_word()),
                .peak = lr.value_or(adam ? 1e-3 : 0.05),
                .milestones = milestones,
                .factor = lr_factor,
                .turn = turn,
                .warmup = warmup};
  return s;
}

Task TrainOptions::task_for(const ImageData& images) const {
  if (task == "auto") return images.multi_label() ? Task::multi_label : Task::multi_class;
  for (const Task known : {Task::multi_class, Task::ordinal, Task::multi_label}) {
    if (task != to_string(known)) continue;
    if ((known == Task::multi_label) != images.multi_label())
      fail(ErrorKind::usage, "--task is '", task, "', but ", images.path, " has ", images.label_columns,
           images.multi_label() ? " labels" : " label", " an image, expected ",
           images.multi_label() ? "multi-label" : "multi-class or ordinal");
    return known;
  }
  fail(ErrorKind::usage, "--task is '", task, "', expected auto, multi-class, ordinal or multi-label");
}

models::InputSpec TrainOptions::input_spec(std::int64_t channels, std::int64_t height,
                                           std::int64_t width) const {
  for (const auto& [flag, values] : {std::pair{"--mean", &mean}, std::pair{"--std", &std}})
    if (!values->empty() && values->size() != static_cast<std::size_t>(channels))
      fail(ErrorKind::usage, flag, " has ", values->size(), " numbers, expected one for each of ", channels,
           " channels");
  for (const float value : mean)
    if (!std::isfinite(value)) fail(ErrorKind::usage, "--mean is ", value, ", expected a finite number");
  for (const float value : std)
    if (!(value > 0) || !std::isfinite(value))
      fail(ErrorKind::usage, "--std is ", value, ", expected a positive number");
  return models::with_normalisation({channels, height, width, mean, std});
}

/// A triangle is part of fast training's recipe.
std::string TrainOptions::schedule_word() const {
  return !schedule.empty() ? schedule : method.method == "fast" ? "triangular" : "cosine";
}

std::string TrainOptions::resolved_settings(const std::string& canonical_model, int threads) const {
  const TrainerSpec s = trainer_spec();
  std::ostringstream t;
  t.precision(17);
  const auto flag = [&](const char* key, const auto& value) { t << key << " = " << value << "\n"; };
  flag("model", quoted(canonical_model));
  for (const auto& [key, value] : method.resolved())
    flag(key.c_str(), is_bare(value) ? value : quoted(value));
  flag("epochs", epochs);
  flag("batch", batch);
  flag("optimizer", quoted(optimizer));
  flag("lr", s.schedule.peak);
  if (s.optimizer.kind == OptimizerKind::sgd) {
    flag("momentum", momentum);
    flag("nesterov", nesterov ? "true" : "false");
  }
  flag("weight_decay", weight_decay);
  flag("schedule", quoted(schedule_word()));
  if (s.schedule.kind == ScheduleKind::steps) {
    flag("milestones", number_list(milestones));
    flag("lr_factor", lr_factor);
  }
  if (s.schedule.kind == ScheduleKind::triangular) flag("turn", turn);
  flag("warmup", warmup);
  flag("flip", flip ? "true" : "false");
  flag("shift", shift);
  if (!mean.empty()) flag("mean", number_list(mean));
  if (!std.empty()) flag("std", number_list(std));
  if (task != "auto") flag("task", quoted(task));
  flag("seed", common.seed);
  flag("device", quoted(common.device));
  flag("threads", threads);
  flag("determinism", quoted(common.determinism));
  // As runs from before the flag have it where nothing else is asked for.
  if (common.tf32_is_chosen()) flag("tf32", common.admits_tf32() ? "true" : "false");
  flag("precise", common.precise ? "true" : "false");
  // Whether a run is watched changes none of its bits; that it may be ended does.
  if (on_overfitting() == OnOverfitting::stop) flag("stop_on_overfitting", "true");
  return t.str();
}

std::string TrainOptions::resolved_toml(const std::string& settings) const {
  std::string text = "data = " + quoted(data) + "\n" + settings;
  if (!method.ball()) return text;
  const std::optional<OnOverfitting> watched = on_overfitting();
  text += watched ? "monitor_overfitting = true\n" : "monitor_overfitting = false\n";
  if (watched != OnOverfitting::stop) text += "stop_on_overfitting = false\n";
  return text;
}

}  // namespace inocula
