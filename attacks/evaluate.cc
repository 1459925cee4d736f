// Batches through one Program.
#include "attacks/evaluate.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/batch_memory.h"
#include "engine/error.h"
#include "kernels/step_state.h"

namespace inocula::attacks {

namespace {

std::int64_t images_to_take(const ImageSplit& split, std::int64_t limit) {
  if (limit < 0) fail(ErrorKind::usage, "limit is ", limit, ", expected 0 (all) or more");
  return limit == 0 ? split.count : std::min(limit, split.count);
}

constexpr std::pair<double Norms::*, double PerturbationNorm::*> kNorms[] = {
    {&Norms::linf, &PerturbationNorm::linf},
    {&Norms::l2, &PerturbationNorm::l2},
    {&Norms::l1, &PerturbationNorm::l1},
    {&Norms::l0, &PerturbationNorm::l0}};

/// The mean of the two in the middle; NaN of nothing.
double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

Evaluator::Evaluator(Network& network, const ImageSplit& split, const Perturbation& perturbation,
                     const EvaluatorSpec& spec)
    : spec_(spec),
      n_(images_to_take(split, spec.limit)),
      classes_(network.graph().classes()),
      batch_(std::clamp<std::int64_t>(spec.batch, 1, std::max<std::int64_t>(n_, 1))),
      image_(network.graph().input_shape()),
      images_(network, split, batch_),
      index_(static_cast<std::size_t>(batch_)) {
  if (spec.constraints != nullptr) constraints_.emplace(network.device(), split, *spec.constraints);
  if (spec.batch < 1) fail(ErrorKind::usage, "batch is ", spec.batch, ", expected at least 1");
  if (spec.attack_norm == NormMode::batch)
    fail(ErrorKind::usage,
         "an attack in training mode would change the running statistics of the network that it "
         "evaluates; expected frozen statistics or those of the batch without update");
  for (const std::int64_t i : spec.keep_only)
    if (i < 0 || i >= n_) fail(ErrorKind::usage, "image ", i, " is to be kept, expected 0 to ", n_ - 1);
  labels_.assign(split.labels.begin(), split.labels.begin() + n_);  // images_ found one for each image
  const Device& device = network.device();
  const auto floats = [&](std::int64_t count) {
    return Buffer(device, static_cast<std::size_t>(count) * sizeof(float));
  };
  state_ = Buffer(device, sizeof(StepState));
  clean_logits_ = floats(batch_ * classes_);
  logits_ = floats(batch_ * classes_);
  norms_ = Buffer(device, static_cast<std::size_t>(batch_) * sizeof(PerturbationNorm));
  bins_ = Buffer(device, kCalibrationBins * sizeof(CalibrationBin));
  counts_ = Buffer(device, 2 * sizeof(std::uint64_t));
  if (spec.keep_images == KeepImages::yes) kept_images_ = floats(image_.with_batch(batch_).size());
  program_ = finish(network, perturbation, batch_);
  if (spec.attack_norm != NormMode::frozen && n_ % batch_ != 0)
    last_ = finish(network, perturbation, n_ % batch_);
}

Program Evaluator::finish(Network& network, const Perturbation& perturbation, std::int64_t rows) const {
  return finish_for_batch(rows, Preparation::kept,
                          [&](std::int64_t fewer) { return record(network, perturbation, fewer); });
}

Recorder Evaluator::record(Network& network, const Perturbation& perturbation, std::int64_t rows) const {
  Recorder r(network.device());
  const auto bytes = [&](const char* name, const Buffer& b, std::size_t at, std::size_t count) {
    return r.external(name, b.as<std::byte>() + at, {1, static_cast<std::int64_t>(count), 1, 1},
                      DType::bytes);
  };
  const Tensor state = bytes("step state", state_, 0, sizeof(StepState));
  const Tensor norms = bytes("norms", norms_, 0, norms_.bytes());
  const Tensor bins = bytes("calibration bins", bins_, 0, bins_.bytes());
  const Tensor zeros = bytes("zero gradients", counts_, 0, sizeof(std::uint64_t));
  const Tensor all = bytes("all gradients", counts_, sizeof(std::uint64_t), sizeof(std::uint64_t));

  const BatchTensors b = images_.record(r, state, rows);
  NetworkVictim victim(r, network, rows, spec_.attack_norm, perturbation.use());
  const PerturbationPorts ports{b.images, b.label, b.sample, state, zeros, all};
  const Tensor x = constraints_ ? constraints_->record(r, victim, perturbation, ports)
                                : perturbation.record(r, victim, ports);
  // What counts is what the network says in evaluation mode, whatever mode the attack saw it in.
  std::optional<NetworkVictim> frozen;
  if (spec_.attack_norm != NormMode::frozen)
    frozen.emplace(r, network, rows, NormMode::frozen, VictimUse::logits);
  NetworkVictim& judge = frozen ? *frozen : victim;
  const Tensor clean = judge.logits(b.images);
  const Tensor perturbed = x.id == b.images.id ? clean : judge.logits(x);
  const Tensor clean_out = r.external("clean logits out", clean_logits_.as<void>(), clean.shape);
  const Tensor out = r.external("logits out", logits_.as<void>(), clean.shape);
  r.copy("evaluate.export", clean, clean_out);
  r.copy("evaluate.export", perturbed, out);
  const std::int64_t cols = image_.per_sample(), classes = classes_;
  r.kernel("evaluate.measure", r.kernels().measure_perturbation, [=](Access& at) {
    return MeasurePerturbation{at.in(x), at.in(b.images), at.out<PerturbationNorm>(norms), rows, cols};
  });
  // Padding rows carry a negative index; as labels they are skipped, so bin by the label only where it is
  // real.
  const Tensor label = r.make("labels of real images", {rows, 1, 1, 1}, DType::i32);
  r.kernel("evaluate.mask_padding", r.kernels().mask_padding, [=](Access& at) {
    return MaskPadding{at.in<std::int32_t>(b.label), at.in<std::int32_t>(b.sample),
                       at.out<std::int32_t>(label), rows};
  });
  r.kernel("evaluate.bin_confidence", r.kernels().bin_confidence, [=](Access& at) {
    return BinConfidence{
        at.in(perturbed), at.in<std::int32_t>(label), at.inout<CalibrationBin>(bins), rows, classes,
        kCalibrationBins};
  });
  if (spec_.keep_images == KeepImages::yes)
    r.copy("evaluate.export", x, r.external("images out", kept_images_.as<void>(), x.shape));
  return r;
}

/// Appends what is to be kept of a batch's images.
void Evaluator::keep_images(Evaluation& e, const std::int64_t* images, std::int64_t rows) const {
  if (spec_.keep_images == KeepImages::no) return;
  const auto cols = static_cast<std::size_t>(image_.per_sample());
  const auto append = [&](std::int64_t row, std::int64_t count) {
    const std::size_t before = e.images.size(), more = static_cast<std::size_t>(count) * cols;
    e.images.resize(before + more);
    kept_images_.download(e.images.data() + before, more, static_cast<std::size_t>(row) * cols);
  };
  if (spec_.keep_only.empty()) return append(0, rows);
  for (std::int64_t row = 0; row < rows; ++row)
    if (std::binary_search(spec_.keep_only.begin(), spec_.keep_only.end(), images[row])) append(row, 1);
}

PassCount Evaluator::run_batch(const std::int64_t* images, std::int64_t rows, Preparation preparation) {
  std::transform(images, images + rows, index_.begin(),
                 [](std::int64_t i) { return static_cast<std::int32_t>(i); });
  std::fill(index_.begin() + rows, index_.end(), -1);
  images_.choose(index_.data());
  StepState state;
  state.seed = spec_.seed;
  state.restart = spec_.restart;
  state_.upload(&state, 1);
  Program& program = last_ && rows < batch_ ? *last_ : program_;
  const PassCount before = program.passes();
  program.run(&program == &program_ ? preparation : Preparation::repeated);
  return {program.passes().forward - before.forward, program.passes().backward - before.backward};
}

Evaluation Evaluator::run(const Progress& progress) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(n_));
  std::iota(all.begin(), all.end(), 0);
  return run(all, progress);
}

Evaluation Evaluator::run(const std::vector<std::int64_t>& images, const Progress& progress) {
  const auto n = static_cast<std::int64_t>(images.size());
  const std::int64_t k = classes_;
  if (!images.empty() && (images.front() < 0 || images.back() >= n_))
    fail(ErrorKind::internal, "Evaluator::run: images ", images.front(), " to ", images.back(),
         ", expected some of ", n_);
  if (last_ && n % batch_ != n_ % batch_)
    fail(ErrorKind::internal, "Evaluator::run: the last batch was recorded for ", n_ % batch_, " images");
  Evaluation e;
  e.n = n;
  e.classes = classes_;
  for (const std::int64_t i : images) e.label.push_back(labels_[static_cast<std::size_t>(i)]);
  if (spec_.constraints != nullptr && !spec_.constraints->eps_scale.empty())
    for (const std::int64_t i : images)
      e.eps_scale.push_back(spec_.constraints->eps_scale[static_cast<std::size_t>(i)]);
  e.clean_logits.resize(static_cast<std::size_t>(n * k));
  e.logits.resize(static_cast<std::size_t>(n * k));
  e.norms.resize(static_cast<std::size_t>(n));
  const std::size_t kept = spec_.keep_only.empty() ? images.size() : spec_.keep_only.size();
  if (spec_.keep_images == KeepImages::yes)
    e.images.reserve(kept * static_cast<std::size_t>(image_.per_sample()));
  e.bins.assign(kCalibrationBins, {});
  bins_.upload(e.bins.data(), e.bins.size());
  const std::uint64_t zero[2] = {};
  counts_.upload(zero, 2);

  for (std::int64_t first = 0; first < n; first += batch_) {
    const std::int64_t rows = std::min(batch_, n - first);
    // Weights stand still: they are prepared for the first batch and kept for the others.
    const PassCount passes =
        run_batch(images.data() + first, rows, first == 0 ? Preparation::repeated : Preparation::kept);
    e.image_passes.forward += passes.forward * rows;
    e.image_passes.backward += passes.backward * rows;
    const auto count = static_cast<std::size_t>(rows);
    clean_logits_.download(e.clean_logits.data() + first * k, count * static_cast<std::size_t>(k));
    logits_.download(e.logits.data() + first * k, count * static_cast<std::size_t>(k));
    norms_.download(e.norms.data() + first, count);
    keep_images(e, images.data() + first, rows);
    if (progress) progress(first + rows, n);
  }
  bins_.download(e.bins.data(), e.bins.size());
  std::uint64_t counts[2];
  counts_.download(counts, 2);
  e.zero_gradients = counts[0];
  e.all_gradients = counts[1];
  return e;
}

double Norms::of(Norm norm) const {
  switch (norm) {
    case Norm::linf:
      return linf;
    case Norm::l2:
      return l2;
    case Norm::l1:
      return l1;
    case Norm::l0:
      break;
  }
  return l0;
}

Robustness judge_robustness(const Evaluation& e) {
  const std::vector<std::int32_t> before = argmax_rows(e.clean_logits, e.classes);
  const std::vector<std::int32_t> after = argmax_rows(e.logits, e.classes);
  Robustness r;
  std::vector<bool> fooled;
  for (std::size_t i = 0; i < e.label.size(); ++i) {
    const bool clean = before[i] == e.label[i];
    r.clean_correct += clean ? 1 : 0;
    r.robust_correct += clean && after[i] == e.label[i] ? 1 : 0;
    fooled.push_back(clean && after[i] != e.label[i]);
  }
  for (const auto& [of_all, of_image] : kNorms) {
    std::vector<double> distances;
    for (std::size_t i = 0; i < e.norms.size(); ++i) {
      r.largest.*of_all = std::max(r.largest.*of_all, e.norms[i].*of_image);
      if (fooled[i]) distances.push_back(e.norms[i].*of_image);
    }
    r.fooled_median.*of_all = median(std::move(distances));
  }
  r.robust_accuracy = static_cast<double>(r.robust_correct) / static_cast<double>(e.n);
  r.robust_accuracy_ci95 = wilson95(r.robust_correct, e.n);
  r.success_rate = r.clean_correct > 0 ? static_cast<double>(r.clean_correct - r.robust_correct) /
                                             static_cast<double>(r.clean_correct)
                                       : std::numeric_limits<double>::quiet_NaN();
  r.zero_gradient_fraction =
      e.all_gradients > 0 ? static_cast<double>(e.zero_gradients) / static_cast<double>(e.all_gradients) : 0;
  return r;
}

Scores score(const Evaluation& e) {
  return score(Predictions(e.logits, e.label, e.classes));
}

}  // namespace inocula::attacks
