// One training run: a network trained by one method, in a run folder that survives interruption at any
// moment.
#include "tools/training_run.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "attacks/clean.h"
#include "attacks/evaluate.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/checkpoint.h"
#include "io/dataset.h"
#include "io/digest.h"
#include "io/input_file.h"
#include "io/model_card.h"
#include "io/run_folder.h"
#include "models/registry.h"
#include "tools/interrupt.h"
#include "tools/network_files.h"
#include "tools/overfitting_monitor.h"
#include "tools/terminal.h"
#include "tools/timing.h"
#include "tools/training_checkpoint.h"
#include "tools/version.h"

namespace inocula {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMostRecordBytes = 1 << 24;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

/// With at least one training image of each class: the labels are what the number of classes is known from.
ImageData load_training_data(const std::string& path) {
  ImageData data = load_image_data(path);
  require_every_class(data);
  return data;
}

/// What belongs together while a run lasts.
class TrainingRun {
 public:
  explicit TrainingRun(const TrainOptions& options);
  void run();

 private:
  RunMode run_mode() const;
  void resume();
  void train_epoch();
  void finish_epoch(double seconds, std::int64_t steps);
  std::string watch_for_overfitting(nlohmann::ordered_json& line, std::string& text);
  bool ended() const { return trainer_.done() || overfitting_.stopped; }
  void save_checkpoint();
  void write_checkpoint();
  void stop_if_asked();
  void save_model();
  void record_algorithms();
  void record_run();
  std::string progress_line(Clock::time_point begin, std::int64_t first_step) const;
  template <class... Parts>
  [[noreturn]] void diverged(const Parts&... what) const;
  TrainingTally finite_tally() const;
  TrainingTally require_finite_network() const;

  const TrainOptions& options_;
  Device device_;
  ImageData data_;
  Task task_;
  models::InputSpec input_;
  std::string model_spec_;
  RunIdentity identity_;
  std::string config_;
  Network network_;
  TrainingMethod method_;
  const char* accuracy_words_;  ///< of the images that are trained on
  Trainer trainer_;
  std::optional<attacks::Evaluator> validation_;
  std::optional<TrainOptions::OnOverfitting> on_overfitting_;
  std::optional<OverfittingMonitor> monitor_;
  OverfittingState overfitting_;
  RunFolder folder_;
  CheckpointStore checkpoints_;
  Progress progress_;
  Clock::time_point last_checkpoint_ = Clock::now();
  std::optional<std::int64_t> checkpoint_step_;  ///< of the latest checkpoint, where there is one
  std::optional<double> clean_accuracy_;         ///< on the validation split, at the end of the latest epoch
};

TrainingRun::TrainingRun(const TrainOptions& options)
    : options_(options),
      device_(options.common.open_device()),
      data_(load_training_data(options.data)),
      task_(options.task_for(data_)),
      input_(options.input_spec(data_.channels, data_.height, data_.width)),
      model_spec_(models::canonical_spec(options.model, input_)),
      identity_{options.resolved_settings(model_spec_, device_.threads()), training_digest(data_)},
      config_(options.resolved_toml(identity_.settings)),
      network_(models::build(model_spec_, input_, data_.classes), device_,
               parse_precision(options.method.precision)),
      method_(make_method(options.method)),
      accuracy_words_(options.method.descends_on_attacked() ? " adversarial accuracy " : " accuracy "),
      trainer_(network_, *method_.objective, require_split(data_, "train"), options.trainer_spec()),
      on_overfitting_(options.on_overfitting()),
      folder_(options.out, run_mode()),
      checkpoints_(folder_.checkpoint()),
      progress_(options.common.quiet, [this](const std::string& line) { folder_.append_log(line); }) {
  if (data_.val.count > 0)
    validation_.emplace(network_, data_.val, attacks::Clean{}, attacks::EvaluatorSpec{});
  if (on_overfitting_) monitor_.emplace(network_, data_.train, *options.method.ball(), options.common.seed);
}

RunMode TrainingRun::run_mode() const {
  if (options_.resume && options_.overwrite)
    fail(ErrorKind::usage, "--resume and --overwrite exclude each other");
  return options_.resume ? RunMode::resume : options_.overwrite ? RunMode::overwrite : RunMode::fresh;
}

void TrainingRun::resume() {
  std::string warning;
  const std::optional<Checkpoint> found = options_.resume ? checkpoints_.load_latest(&warning) : std::nullopt;
  progress_.warn(warning);
  if (!found) {
    network_.initialize(options_.common.seed);
    folder_.truncate_metrics(0);
    return;
  }
  folder_.keep();
  RunState state = from_checkpoint(*found, identity_);
  trainer_.restore(state.trainer);
  overfitting_ = std::move(state.overfitting);
  if (!monitor_) overfitting_ = {};  // an accuracy of some earlier epoch, where the run was watched until now
  checkpoint_step_ = trainer_.step();
  folder_.truncate_metrics(trainer_.epoch());
  progress_.say("resuming after step " + std::to_string(trainer_.step()) + " of " +
                std::to_string(trainer_.total_steps()));
}

template <class... Parts>
void TrainingRun::diverged(const Parts&... what) const {
  fail(ErrorKind::internal, "training diverged: ", what..., " after step ", trainer_.step(),
       "; try a smaller --lr; ",
       checkpoint_step_ ? "the checkpoint of step " + std::to_string(*checkpoint_step_) + " is whole"
                        : "no checkpoint was written yet");
}

TrainingTally TrainingRun::finite_tally() const {
  const TrainingTally t = trainer_.tally();
  if (!std::isfinite(t.loss)) diverged("the loss is ", t.loss);
  return t;
}

/// The loss alone does not tell: a ReLU may turn NaN into 0, and the network then predicts from its biases.
TrainingTally TrainingRun::require_finite_network() const {
  const TrainingTally t = finite_tally();
  if (const auto found = find_non_finite(network_))
    diverged(found->tensor, "[", found->element, "] is ", found->value);
  return t;
}

void TrainingRun::save_checkpoint() {
  require_finite_network();
  write_checkpoint();
}

/// Of a network that was found finite since its last step.
void TrainingRun::write_checkpoint() {
  checkpoints_.save(to_checkpoint({trainer_.save(), overfitting_}, identity_));
  folder_.keep();
  last_checkpoint_ = Clock::now();
  checkpoint_step_ = trainer_.step();
}

void TrainingRun::stop_if_asked() {
  if (!InterruptWatch::requested()) return;
  if (checkpoint_step_ != trainer_.step()) save_checkpoint();
  progress_.say("stopped after step " + std::to_string(trainer_.step()));
  fail(ErrorKind::interrupted, "stopped after step ", trainer_.step(), " with a checkpoint in ",
       folder_.checkpoint(), "; the same command with --resume goes on");
}

std::string TrainingRun::progress_line(Clock::time_point begin, std::int64_t first_step) const {
  const TrainingTally t = finite_tally();
  const double seen = static_cast<double>(std::max<std::uint64_t>(t.seen, 1));
  const std::int64_t per_epoch = trainer_.steps_per_epoch();
  const std::int64_t in_epoch = trainer_.step() % per_epoch;
  const double rate =
      static_cast<double>(trainer_.step() - first_step) / std::max(seconds_since(begin), 1e-9);
  return "epoch " + std::to_string(trainer_.epoch() + 1) + "/" + std::to_string(trainer_.epochs()) +
         " step " + std::to_string(in_epoch) + "/" + std::to_string(per_epoch) + " loss " +
         fixed(t.loss / seen, 4) + accuracy_words_ + fixed(100 * static_cast<double>(t.correct) / seen, 1) +
         "% " + (clean_accuracy_ ? "clean accuracy " + fixed(100 * *clean_accuracy_, 1) + "% (val) " : "") +
         fixed(rate * static_cast<double>(options_.batch), 1) + " images/s " +
         format_duration(static_cast<double>(trainer_.total_steps() - trainer_.step()) /
                         std::max(rate, 1e-9)) +
         " left";
}

void TrainingRun::train_epoch() {
  const Clock::time_point begin = Clock::now();
  const std::int64_t first_step = trainer_.step(), epoch = trainer_.epoch();
  while (!trainer_.done() && trainer_.epoch() == epoch) {
    trainer_.run_step();
    const bool last = trainer_.epoch() != epoch;
    if (last) break;
    progress_.update([&] { return progress_line(begin, first_step); });
    stop_if_asked();
    if (seconds_since(last_checkpoint_) >= options_.checkpoint_every) save_checkpoint();
  }
  finish_epoch(seconds_since(begin), trainer_.step() - first_step);
}

void TrainingRun::finish_epoch(double seconds, std::int64_t steps) {
  // Before validation: scores of a network that is not finite mean nothing.
  const TrainingTally t = require_finite_network();
  const double seen = static_cast<double>(t.seen);
  const std::int64_t epoch = trainer_.step() / trainer_.steps_per_epoch() - 1;
  nlohmann::ordered_json line{
      {"epoch", epoch}, {"loss", t.loss / seen}, {"train_accuracy", static_cast<double>(t.correct) / seen}};
  std::string text = "epoch " + std::to_string(epoch + 1) + "/" + std::to_string(trainer_.epochs()) +
                     " loss " + fixed(t.loss / seen, 4) + accuracy_words_ +
                     fixed(100 * static_cast<double>(t.correct) / seen, 2) + "%";
  if (validation_) {
    const attacks::Scores s = attacks::score(validation_->run());
    clean_accuracy_ = s.accuracy;
    line["val_accuracy"] = s.accuracy;
    line["val_auc"] = s.auc;
    text += " val accuracy " + fixed(100 * s.accuracy, 2) + "% auc " + fixed(s.auc, 4);
  }
  std::string warning;
  if (monitor_) warning = watch_for_overfitting(line, text);
  const double rate = static_cast<double>(steps * options_.batch) / seconds;
  line["seconds"] = seconds;
  line["images_per_second"] = rate;
  progress_.say(text + " " + fixed(rate, 1) + " images/s");
  progress_.warn(warning);
  folder_.append_metrics(line.dump());
  trainer_.clear_tally();
  write_checkpoint();
  if (!ended()) stop_if_asked();
}

/// Answers a warning, or nothing.
std::string TrainingRun::watch_for_overfitting(nlohmann::ordered_json& line, std::string& text) {
  const double now = monitor_->measure();
  const std::optional<double> before = std::exchange(overfitting_.accuracy, now);
  const bool fell = before && overfits(*before, now);
  line["monitor_pgd_accuracy"] = now;
  line["catastrophic_overfitting"] = fell;
  const std::string attack = "PGD-" + std::to_string(OverfittingMonitor::kSteps);
  text += " " + attack + " accuracy " + fixed(100 * now, 1) + "% (training batch)";
  const bool stop = on_overfitting_ == TrainOptions::OnOverfitting::stop;
  overfitting_.stopped = fell && stop;
  if (stop && !fell) overfitting_.unharmed = numbers_of(network_);
  if (!fell) return "";
  return "catastrophic overfitting: accuracy under " + attack + " fell from " + fixed(100 * *before, 1) +
         "% to " + fixed(100 * now, 1) +
         "% within an epoch; the network resists the attack of its training and no other";
}

void TrainingRun::save_model() {
  if (overfitting_.stopped) put_numbers(network_, *overfitting_.unharmed);
  require_finite_network();  // the state may come from a checkpoint
  save_network(folder_.model_safetensors(), network_);
  write_model_card(folder_.model_json(), {.spec = model_spec_,
                                          .classes = network_.graph().classes(),
                                          .task = task_,
                                          .channels = input_.channels,
                                          .height = input_.height,
                                          .width = input_.width,
                                          .mean = input_.mean,
                                          .deviation = input_.std,
                                          .method = method_.objective->name(),
                                          .seed = options_.common.seed,
                                          .config_hash = xxh3_128(config_)});
}

/// The bits of a run depend on which implementation computed each convolution.
void TrainingRun::record_algorithms() {
  nlohmann::ordered_json record{{"device", device_.backend().describe()},
                                {"convolutions", nlohmann::ordered_json::array()}};
  for (const ConvChoice& c : device_.backend().choices())
    record["convolutions"].push_back({{"convolution", c.convolution}, {"algorithm", c.algorithm}});
  const std::string text = record.dump(1) + "\n", path = folder_.algorithms_json();
  if (options_.resume && std::filesystem::exists(path) && read_text_file(path, kMostRecordBytes) != text)
    progress_.warn(path +
                   ": the device or its algorithms have changed since this run began; its bits "
                   "may differ from those of an uninterrupted one");
  write_file(path, text);
}

/// What a reader of the results asks of the run beside its settings.
void TrainingRun::record_run() {
  const nlohmann::ordered_json record{
      {"version", kVersion},
      {"compiler", __VERSION__},
      {"device", device_.backend().describe()},
      {"threads", device_.threads()},
      {"isa", device_.kernels().target},
      {"method", method_.description},
      {"data", options_.data},
      {"data_xxh3_128", identity_.data_digest},
      {"parameters", network_.graph().parameter_count()},
      {"multiply_adds", network_.graph().multiply_adds()},
      {"step_bytes", trainer_.program().footprint().arena_bytes},
  };
  write_file(folder_.run_json(), record.dump(1) + "\n");
}

void TrainingRun::run() {
  const InterruptWatch watch;
  resume();
  write_file(folder_.config_toml(), config_);
  record_algorithms();
  record_run();
  char macs[32];
  std::snprintf(macs, sizeof macs, "%.3g", network_.graph().multiply_adds());
  progress_.say(model_spec_ + ": " + std::to_string(network_.graph().parameter_count()) + " parameters, " +
                macs + " multiply-adds an image; " + method_.description + "; " +
                std::to_string(device_.threads()) + " threads; " +
                fixed(static_cast<double>(trainer_.program().footprint().arena_bytes) / (1 << 20), 1) +
                " MiB a step");
  while (!ended()) train_epoch();
  if (overfitting_.stopped)
    progress_.say("ended after epoch " + std::to_string(trainer_.epoch()) +
                  " because it overfits to its attack; the model is that of the epoch before");
  save_model();
  progress_.say("written: " + folder_.model_safetensors());
}

}  // namespace

void train(const TrainOptions& options) {
  TrainingRun(options).run();
}

}  // namespace inocula
