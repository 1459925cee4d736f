// A few steps of each method and a batch of each way of judging, multiplied by how often they are done.
#include "tools/study_estimate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <random>

#include "attacks/clean.h"
#include "attacks/corruption.h"
#include "attacks/evaluate.h"
#include "attacks/per_label.h"
#include "attacks/registry.h"
#include "attacks/scores/bootstrap.h"
#include "attacks/scores/temperature.h"
#include "attacks/square.h"
#include "engine/trainer.h"
#include "io/checkpoint.h"
#include "io/dataset.h"
#include "models/registry.h"
#include "tools/overfitting_monitor.h"
#include "tools/terminal.h"
#include "tools/timing.h"
#include "tools/trust_checks.h"

namespace inocula {

namespace {

using Clock = std::chrono::steady_clock;

/// Of one network.
struct Cost {
  double begin = 0;        ///< seconds before the first step
  double work = 0;         ///< seconds of all steps
  std::int64_t steps = 0;  ///< of training
  std::size_t bytes = 0;

  double seconds() const { return begin + work; }
};

std::size_t host_bytes(const ImageSplit& s) {
  return s.pixels.size() + s.labels.size() * sizeof(s.labels[0]);
}

std::size_t host_bytes(const ImageData& data) {
  return host_bytes(data.train) + host_bytes(data.val) + host_bytes(data.test);
}

std::size_t network_bytes(const Network& network) {
  const ParameterStore& p = network.parameters();
  return p.values.bytes() + p.gradients.bytes() + p.running.bytes();
}

std::int64_t batches_of(std::int64_t images, std::int64_t batch) {
  return (images + batch - 1) / batch;
}

/// A warm-up tells little of work that takes long.
double typical_seconds(const Device& device, const std::function<void()>& work) {
  constexpr double kLong = 1;
  const double first = time_once(device, work);
  return first > kLong ? first : time_once(device, work);
}

/// Scores of `n` images and their intervals, of answers drawn at random.
double scoring_seconds(std::int64_t n, const ImageData& data, std::int64_t resamples, const Device& device) {
  const std::int64_t columns = data.label_columns, classes = data.multi_label() ? 2 : data.classes;
  n *= columns;
  std::mt19937 generator(0);
  std::normal_distribution<float> normal;
  std::vector<float> logits(static_cast<std::size_t>(n * classes));
  for (float& logit : logits) logit = normal(generator);
  std::vector<std::int32_t> label(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < label.size(); ++i)
    label[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(classes));
  std::optional<attacks::Predictions> p;
  const double once = time_once(device, [&] {
    p.emplace(logits, label, classes, 1.0, columns);
    attacks::score(*p);
  });
  const std::int64_t some = std::min<std::int64_t>(resamples, 8 * device.threads());
  if (some == 0) return once;
  const double of_some = time_once(device, [&] {
    attacks::bootstrap95(*p, {.resamples = some, .threads = device.threads()},
                         [](const attacks::Predictions& q) { return std::vector{attacks::score(q).ece}; });
  });
  return once + of_some * static_cast<double>(resamples) / static_cast<double>(some);
}

/// Evaluations of one network under one perturbation after the other: the time of each, the most memory of
/// all.
class Passes {
 public:
  Passes(Network& network, std::int64_t batch, NormMode attack_norm)
      : network_(network), batch_(batch), attack_norm_(attack_norm) {}

  /// Seconds that `images` of the split take, from one batch.
  double seconds(const ImageSplit& split, const Perturbation& p, std::int64_t images) {
    const std::int64_t one_batch = std::min(batch_, images);
    attacks::Evaluator evaluator(
        network_, split, p,
        {.batch = batch_,
         .limit = one_batch,
         .attack_norm = attack_norm_,
         .label_column = split.multi_label() ? std::optional<std::int64_t>{0} : std::nullopt});
    bytes_ = std::max(bytes_, evaluator.program().footprint().arena_bytes + host_bytes(split));
    return typical_seconds(network_.device(), [&] { evaluator.run(); }) *
           static_cast<double>(batches_of(images, one_batch));
  }
  std::size_t bytes() const { return bytes_; }

 private:
  Network& network_;
  std::int64_t batch_;
  NormMode attack_norm_;
  std::size_t bytes_ = 0;
};

Cost cost_of_training(const TrainOptions& o, const ImageData& data, double loading) {
  constexpr std::int64_t kTimedSteps = 2;
  const Clock::time_point begin = Clock::now();
  const Device device = o.common.open_device();
  Network network(models::build(o.model, o.input_spec(data.channels, data.height, data.width), data.classes),
                  device, parse_precision(o.method.precision));
  network.initialize(o.common.seed);
  const TrainingMethod method = make_method(o.method);
  TrainerSpec spec = o.trainer_spec();
  const std::int64_t epochs = spec.epochs;
  spec.epochs += 1 + kTimedSteps;  // a run may be shorter than what is timed
  Trainer trainer(network, *method.objective, require_split(data, "train"), spec);
  Cost cost;
  cost.begin = loading + seconds_since(begin);
  cost.steps = trainer.steps_per_epoch() * epochs;

  const std::vector<double> steps = time_repeatedly(device, kTimedSteps, [&] { trainer.run_step(); });
  double epoch = 0;
  for (const double s : steps) epoch += s / kTimedSteps * static_cast<double>(trainer.steps_per_epoch());
  cost.bytes = host_bytes(data) + host_bytes(data.train) + network_bytes(network) +
               trainer.program().footprint().arena_bytes;
  std::size_t state = 0;
  for (const TrainerState::Array& array : trainer.save().arrays) state += array.values.size() * sizeof(float);
  cost.bytes += 2 * state;  // moments on the device, a checkpoint's copy of everything beside it
  if (data.val.count > 0) {
    Passes validation(network, attacks::EvaluatorSpec{}.batch, NormMode::frozen);
    epoch += validation.seconds(data.val, attacks::Clean{}, data.val.count) +
             scoring_seconds(data.val.count, data, 0, device);
    cost.bytes += validation.bytes();
  }
  if (o.on_overfitting()) {
    OverfittingMonitor monitor(network, data.train, *o.method.ball(), o.common.seed);
    epoch += typical_seconds(device, [&] { monitor.measure(); });
    cost.bytes += monitor.footprint().arena_bytes;
  }
  cost.work = epoch * static_cast<double>(epochs);
  return cost;
}

Cost cost_of_judging(const TrainOptions& t, const EvaluationOptions& o, const ImageData& data,
                     double loading) {
  const Clock::time_point begin = Clock::now();
  const Device device = o.subject.common.open_device();
  Network network(models::build(t.model, t.input_spec(data.channels, data.height, data.width), data.classes),
                  device);
  network.initialize(0);
  Passes passes(network, o.subject.batch, parse_attack_bn(o.evaluator.attack_bn));
  const ImageSplit& split = require_split(data, o.subject.split);
  const std::int64_t n = o.evaluator.limit == 0 ? split.count : std::min(split.count, o.evaluator.limit);
  Cost cost;
  cost.begin = loading + seconds_since(begin);

  std::size_t rows = 1;
  /// A list of rows that each take so long.
  const auto add = [&](std::size_t count, double seconds) {
    rows += count;
    cost.work += seconds * static_cast<double>(count);
  };
  cost.work += passes.seconds(split, attacks::Clean{}, n);
  for (const std::string& text : o.attacks) {
    const std::vector<attacks::NamedAttack> list = attacks::parse_attacks(text);
    // As if every stage saw every image.
    double row = 0;
    const std::vector<attacks::Stage> stages =
        list.front().stages(attacks::attacked_classes(network.graph().classes(), split));
    for (const attacks::Stage& stage : stages) row += passes.seconds(split, *stage.perturbation, n);
    row *= static_cast<double>(split.label_columns);  // each label is attacked by itself
    add(list.size(), row);
    if (!o.trust_checks) continue;
    // The unbounded attack on some images; one step of all, and a search and twice the steps on what is left.
    const auto steps = static_cast<double>(list.front().steps);
    const double unbounded_steps =
        std::clamp(steps, static_cast<double>(kUnboundedSteps), static_cast<double>(kMostUnboundedSteps));
    const auto share = [&](std::int64_t images) {
      return static_cast<double>(std::min(n, images)) / static_cast<double>(n);
    };
    cost.work += row * share(kUnboundedImages) * unbounded_steps / steps;
    if (steps == 1 || !list.front().untargeted || !list.front().sees_gradients) continue;
    cost.work += row / steps;
    if (stages.size() > 1) continue;
    cost.work +=
        2 * row * share(kResumedSurvivors) +
        passes.seconds(split, attacks::Square({.queries = kProbeQueries}), std::min(n, kProbedSurvivors));
  }
  for (const std::string& text : o.corruptions) {
    const std::vector<attacks::NamedCorruption> list = attacks::parse_corruptions(text);
    add(list.size(), passes.seconds(split, *list.front().perturbation, n));
  }
  cost.work += static_cast<double>(rows) * scoring_seconds(n, data, o.bootstrap, device);
  if (o.temperature_scaling) {
    const ImageSplit& val = require_split(data, "val");
    const std::int64_t classes = data.multi_label() ? 2 : data.classes;  // of a decision
    const std::vector<float> logits(val.labels.size() * static_cast<std::size_t>(classes));
    cost.work += passes.seconds(val, attacks::Clean{}, val.count) +
                 time_once(device, [&] { attacks::fit_temperature(logits, val.labels, classes); });
  }
  const auto logits_bytes = static_cast<std::size_t>(n * data.classes) * sizeof(float);
  cost.bytes = host_bytes(data) + network_bytes(network) + passes.bytes() + 2 * logits_bytes;
  return cost;
}

/// "0.42 s", "38 s", "12 min", "1 h 12 min", "3 d 4 h".
std::string spoken(double seconds) {
  const auto pair = [](double value, double in_one, const char* larger, const char* smaller) {
    const auto whole = static_cast<long long>(std::llround(value)), unit = static_cast<long long>(in_one);
    return std::to_string(whole / unit) + " " + larger + " " + std::to_string(whole % unit) + " " + smaller;
  };
  constexpr double kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (seconds < 10) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2g s", seconds);
    return text;
  }
  if (seconds < 2 * kMinute) return std::to_string(std::llround(seconds)) + " s";
  if (seconds < kHour) return std::to_string(std::llround(seconds / kMinute)) + " min";
  if (seconds < kDay) return pair(seconds / kMinute, 60, "h", "min");
  return pair(seconds / kHour, 24, "d", "h");
}

double gibibytes(std::size_t bytes) {
  return static_cast<double>(bytes) / (1 << 30);
}

/// Of a training, from its latest checkpoint.
double share_left(const TrainOptions& o, const Cost& training) {
  const std::uint64_t done = newest_checkpoint_step(o.out + "/checkpoint").value_or(0);
  return std::max(0.0, 1 - static_cast<double>(done) / static_cast<double>(training.steps));
}

std::string line_of(const std::string& method, const Cost& training, const Cost& judging) {
  char text[256];
  std::snprintf(text, sizeof text, "  %-32s %15s %15s %8.2f GiB\n", method.c_str(),
                spoken(training.seconds()).c_str(), spoken(judging.seconds()).c_str(),
                gibibytes(std::max(training.bytes, judging.bytes)));
  return text;
}

/// All parts together.
struct Estimate {
  std::string lines;  ///< one a method
  double left = 0;    ///< seconds
  std::size_t bytes = 0;
};

Estimate estimate(const std::vector<PartToDo>& parts, const std::string& data_path, Progress& progress) {
  const Clock::time_point begin = Clock::now();
  const ImageData data = load_image_data(data_path);
  const double loading = seconds_since(begin);
  std::map<std::string, Cost> trained, judged;  // by method; by model, as no method changes how it is judged
  Estimate all;
  for (const PartToDo& part : parts) {
    if (!part.to_be_trained && !part.to_be_judged) continue;
    progress.update([&] { return "measuring: " + part.method; });
    const bool first = !trained.contains(part.method);
    if (first) trained[part.method] = cost_of_training(*part.train, data, loading);
    const Cost& training = trained[part.method];
    if (!judged.contains(part.train->model))
      judged[part.train->model] = cost_of_judging(*part.train, *part.evaluation, data, loading);
    const Cost& judging = judged[part.train->model];
    if (first) all.lines += line_of(part.method, training, judging);
    if (part.to_be_trained) all.left += training.begin + training.work * share_left(*part.train, training);
    if (part.to_be_judged) all.left += judging.seconds();
    all.bytes = std::max({all.bytes, judging.bytes, part.to_be_trained ? training.bytes : 0});
  }
  return all;
}

}  // namespace

void print_estimate(const std::vector<PartToDo>& parts, const std::string& data_path, bool quiet) {
  std::optional<Progress> progress(std::in_place, quiet);
  const Estimate all = estimate(parts, data_path, *progress);
  progress.reset();  // its line on the terminal goes before others come
  if (all.lines.empty()) {
    std::printf("still to do: nothing but the tables\n");
    return;
  }
  const Device device = parts.front().train->common.open_device();
  std::printf("  %-32s %15s %15s %12s\n%s", "one network of", "training", "judging", "memory",
              all.lines.c_str());
  std::printf("still to do: about %s on %s (%d threads), about %.2f GiB\n", spoken(all.left).c_str(),
              device.name().c_str(), device.threads(), gibibytes(all.bytes));
}

}  // namespace inocula
