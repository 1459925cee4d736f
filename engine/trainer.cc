// The training loop's step, and its state.
#include "engine/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/batch_memory.h"
#include "engine/error.h"
#include "engine/parameter_tensors.h"
#include "engine/shuffle.h"

namespace inocula {

namespace {

/// StepState.step is a word of the random numbers' counter.
constexpr std::int64_t kMostSteps = std::numeric_limits<std::uint32_t>::max();

const TrainerSpec& checked(const TrainerSpec& spec, const ImageSplit& train, const Objective& objective) {
  if (spec.epochs < 1) fail(ErrorKind::usage, "epochs is ", spec.epochs, ", expected at least 1");
  if (spec.batch < 2) fail(ErrorKind::usage, "batch is ", spec.batch, ", expected at least 2 to train");
  if (train.count < 1)
    fail(ErrorKind::bad_data, "split '", train.name, "' is empty, expected images to train on");
  if (spec.batch > train.count)
    fail(ErrorKind::usage, "batch is ", spec.batch, ", but split '", train.name, "' has ", train.count,
         " images");
  if (objective.replays() < 1 || objective.replays() > kMostSteps / (train.count / spec.batch))
    fail(ErrorKind::usage, "replays is ", objective.replays(), ", expected 1 to ",
         kMostSteps / (train.count / spec.batch), ": steps are counted in 32 bits");
  const std::int64_t steps_per_epoch = train.count / spec.batch * objective.replays();
  if (spec.epochs > kMostSteps / steps_per_epoch)
    fail(ErrorKind::usage, "epochs is ", spec.epochs, ", expected at most ", kMostSteps / steps_per_epoch,
         " of ", steps_per_epoch, " steps each: steps are counted in 32 bits");
  const std::int64_t side = std::min(train.height, train.width);
  if (spec.augmentation.shift < 0 || spec.augmentation.shift >= side)
    fail(ErrorKind::usage, "shift is ", spec.augmentation.shift, ", expected 0 to ", side - 1,
         " for images of ", train.height, " x ", train.width, " pixels");
  check(spec.schedule);
  return spec;
}

}  // namespace

Trainer::Trainer(Network& network, const Objective& objective, const ImageSplit& train,
                 const TrainerSpec& spec)
    : network_(network),
      spec_(checked(spec, train, objective)),
      replays_(objective.replays()),
      statistics_updates_(objective.statistics_updates()),
      images_(network, train, spec.batch),
      optimizer_(spec.optimizer, network),
      state_buffer_(network.device(), sizeof(StepState)),
      tally_buffer_(network.device(), sizeof(TrainingTally)),
      steps_per_epoch_(train.count / spec.batch * replays_),
      order_(static_cast<std::size_t>(train.count)) {
  for (const CarriedArray& array : objective.carried(network.graph().input_shape().with_batch(spec.batch)))
    carried_.push_back(
        {array.name, Buffer(network.device(), static_cast<std::size_t>(array.shape.size()) * sizeof(float))});
  program_ = finish_for_batch(spec_.batch, Preparation::repeated,
                              [&](std::int64_t rows) { return record(objective, rows); });
}

Recorder Trainer::record(const Objective& objective, std::int64_t rows) const {
  Recorder r(network_.device());
  const Tensor state = r.external("step state", state_buffer_.as<void>(),
                                  {1, static_cast<std::int64_t>(sizeof(StepState)), 1, 1}, DType::bytes);
  const Tensor sums = r.external("tally", tally_buffer_.as<void>(),
                                 {1, static_cast<std::int64_t>(sizeof(TrainingTally)), 1, 1}, DType::bytes);
  const BatchTensors batch = images_.record(r, state, rows, spec_.augmentation);

  std::vector<Tensor> carried;
  for (const CarriedArray& array : objective.carried(batch.images.shape))
    carried.push_back(r.external(array.name, carried_[carried.size()].memory.as<void>(), array.shape));

  ParameterTensors parameters(r, network_.parameters());
  const Tensor gradients = parameters.all_gradients();
  r.kernel("gradient.clear", r.kernels().fill, [=](Access& at) {
    return Fill{at.out(gradients), gradients.shape.c, 0.0f};
  });
  const TrainingResult result =
      objective.record(r, network_, {batch.images, batch.label, batch.sample, state, carried});
  optimizer_.record(r, state);
  r.kernel("metrics.tally", r.kernels().tally, [=](Access& at) {
    return Tally{at.in(result.loss),
                 at.in<std::int32_t>(result.predicted),
                 at.in<std::int32_t>(batch.label),
                 at.inout<TrainingTally>(sums),
                 rows,
                 batch.label.shape.c};
  });
  return r;
}

void Trainer::choose_batch() {
  const std::int64_t epoch = step_ / steps_per_epoch_;
  if (shuffled_epoch_ != epoch) {
    shuffle(spec_.seed, static_cast<std::uint32_t>(epoch), order_);
    shuffled_epoch_ = epoch;
  }
  images_.choose(order_.data() + step_ % steps_per_epoch_ / replays_ * spec_.batch);
}

void Trainer::run_step() {
  if (done()) fail(ErrorKind::internal, "Trainer::run_step: all ", total_steps(), " steps are done");
  choose_batch();
  StepState state;
  state.seed = spec_.seed;
  state.step = static_cast<std::uint32_t>(step_);
  state.batch = static_cast<std::uint32_t>(step_ / replays_);
  state.learning_rate = static_cast<float>(next_learning_rate());
  const double t = static_cast<double>(step_ + 1);
  state.adam_correction1 = static_cast<float>(1 - std::pow(static_cast<double>(spec_.optimizer.beta1), t));
  state.adam_correction2 = static_cast<float>(1 - std::pow(static_cast<double>(spec_.optimizer.beta2), t));
  state_buffer_.upload(&state, 1);
  program_.run();
  step_ += 1;
  network_.parameters().batches_tracked += statistics_updates_;
}

TrainingTally Trainer::tally() const {
  TrainingTally t;
  tally_buffer_.download(&t, 1);
  return t;
}

void Trainer::clear_tally() {
  const TrainingTally zero;
  tally_buffer_.upload(&zero, 1);
}

std::vector<std::pair<std::string, const Buffer*>> Trainer::buffers() const {
  std::vector<std::pair<std::string, const Buffer*>> list{
      {"weights", &network_.parameters().values}, {"running_statistics", &network_.parameters().running}};
  for (const auto& [name, buffer] : optimizer_.moments()) list.emplace_back(name, buffer);
  for (const Carried& array : carried_) list.emplace_back(array.name, &array.memory);
  return list;
}

TrainerState Trainer::save() const {
  TrainerState s;
  for (const auto& [name, buffer] : buffers()) {
    s.arrays.push_back({name, std::vector<float>(buffer->bytes() / sizeof(float))});
    buffer->download(s.arrays.back().values.data(), s.arrays.back().values.size());
  }
  s.step = step_;
  s.batches_tracked = network_.parameters().batches_tracked;
  s.tally = tally();
  return s;
}

void Trainer::restore(const TrainerState& s) {
  const auto targets = buffers();
  if (s.arrays.size() != targets.size())
    fail(ErrorKind::bad_data, "training state has ", s.arrays.size(), " arrays, expected ", targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto& [name, buffer] = targets[i];
    if (s.arrays[i].name != name || s.arrays[i].values.size() * sizeof(float) != buffer->bytes())
      fail(ErrorKind::bad_data, "training state: array '", s.arrays[i].name, "' of ",
           s.arrays[i].values.size(), " numbers, expected '", name, "' of ", buffer->bytes() / sizeof(float));
  }
  if (s.step < 0 || s.step > total_steps())
    fail(ErrorKind::bad_data, "training state: step ", s.step, " of ", total_steps());
  for (std::size_t i = 0; i < targets.size(); ++i)
    network_.device().backend().upload(targets[i].second->as<float>(), s.arrays[i].values.data(),
                                       s.arrays[i].values.size() * sizeof(float));
  step_ = s.step;
  network_.parameters().batches_tracked = s.batches_tracked;
  tally_buffer_.upload(&s.tally, 1);
}

}  // namespace inocula
