// Batches through one Program.
#include "attacks/evaluate.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "attacks/label_view.h"
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

double sum(const std::vector<std::uint64_t>& counts) {
  return static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
}

/// Each `times` times: what is known of an image, for each of its labels.
std::vector<PerturbationNorm> repeated(const std::vector<PerturbationNorm>& of_image, std::int64_t times) {
  std::vector<PerturbationNorm> list;
  for (const PerturbationNorm& norm : of_image)
    list.insert(list.end(), static_cast<std::size_t>(times), norm);
  return list;
}

}  // namespace

Evaluator::Evaluator(Network& network, const ImageSplit& split, const Perturbation& perturbation,
                     const EvaluatorSpec& spec)
    : spec_(spec),
      n_(images_to_take(split, spec.limit)),
      classes_(split.multi_label() ? 2 : network.graph().classes()),
      batch_(std::clamp<std::int64_t>(spec.batch, 1, std::max<std::int64_t>(n_, 1))),
      image_(network.graph().input_shape()),
      multi_label_(split.multi_label()),
      images_(network, split, batch_, spec.label_column),
      index_(static_cast<std::size_t>(batch_)),
      row_restart_(static_cast<std::size_t>(batch_)) {
  if (spec.constraints != nullptr) constraints_.emplace(network.device(), split, *spec.constraints);
  if (spec.batch < 1) fail(ErrorKind::usage, "batch is ", spec.batch, ", expected at least 1");
  if (spec.attack_norm == NormMode::batch)
    fail(ErrorKind::usage,
         "an attack in training mode would change the running statistics of the network that it "
         "evaluates; expected frozen statistics or those of the batch without update");
  for (const std::int64_t i : spec.keep_only)
    if (i < 0 || i >= n_) fail(ErrorKind::usage, "image ", i, " is to be kept, expected 0 to ", n_ - 1);
  for (std::int64_t i = 0; i < n_; ++i) {  // images_ found them for each image
    const auto all = split.labels_of(i);
    const auto taken = spec.label_column ? all.subspan(static_cast<std::size_t>(*spec.label_column), 1) : all;
    labels_.insert(labels_.end(), taken.begin(), taken.end());
  }
  const Device& device = network.device();
  const auto floats = [&](std::int64_t count) {
    return Buffer(device, static_cast<std::size_t>(count) * sizeof(float));
  };
  state_ = Buffer(device, sizeof(StepState));
  restart_ = Buffer(device, static_cast<std::size_t>(batch_) * sizeof(std::int32_t));
  clean_logits_ = floats(batch_ * images_.label_columns() * classes_);
  logits_ = floats(batch_ * images_.label_columns() * classes_);
  norms_ = Buffer(device, static_cast<std::size_t>(batch_) * sizeof(PerturbationNorm));
  bins_ = Buffer(device, kCalibrationBins * sizeof(CalibrationBin));
  zero_gradients_ = Buffer(device, static_cast<std::size_t>(batch_) * sizeof(std::uint64_t));
  all_gradients_ = Buffer(device, static_cast<std::size_t>(batch_) * sizeof(std::uint64_t));
  if (spec.keep_images == KeepImages::yes) kept_images_ = floats(image_.with_batch(batch_).size());
  key_ = perturbation.spec() + " seed=" + std::to_string(spec.seed) +
         " restart=" + std::to_string(spec.restart) +
         " norm=" + std::to_string(static_cast<int>(spec.attack_norm)) + " split=" + split.name +
         (spec.label_column ? " label=" + std::to_string(*spec.label_column) : "") +
         (spec.defence != nullptr ? " defence=" + spec.defence->spec() : "") +
         (spec.constraints != nullptr ? " constrained" : "") +
         (spec.keep_images == KeepImages::no ? ""
          : spec.keep_only.empty()           ? " keep=all"
                                             : " keep=");
  for (const std::int64_t i : spec.keep_only) key_ += std::to_string(i) + ',';
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
  const std::size_t count_bytes = static_cast<std::size_t>(rows) * sizeof(std::uint64_t);
  const Tensor zeros = bytes("zero gradients", zero_gradients_, 0, count_bytes);
  const Tensor all = bytes("all gradients", all_gradients_, 0, count_bytes);

  const Tensor restart = r.external("restart", restart_.as<void>(), {rows, 1, 1, 1}, DType::i32);

  const BatchTensors b = images_.record(r, state, rows);
  const Defended victim(r, network, rows, spec_.attack_norm, perturbation.use(), spec_.defence);
  std::optional<LabelView> view;
  if (spec_.label_column) view.emplace(r, victim.front(), *spec_.label_column);
  Victim& attacked = view ? static_cast<Victim&>(*view) : victim.front();
  const PerturbationPorts ports{b.images, b.label, b.sample, state, zeros, all, restart};
  const Tensor x = constraints_ ? constraints_->record(r, attacked, perturbation, ports)
                                : perturbation.record(r, attacked, ports);
  // What counts is what the network says in evaluation mode, whatever mode the attack saw it in.
  std::optional<Defended> frozen;
  if (spec_.attack_norm != NormMode::frozen)
    frozen.emplace(r, network, rows, NormMode::frozen, VictimUse::logits, spec_.defence);
  Victim& judge = frozen ? frozen->front() : victim.front();
  const std::int64_t columns = images_.label_columns(), decisions = rows * columns;
  const auto answers = [&](const Tensor& images) {
    const Tensor logits = judge.logits(images);
    return multi_label_ ? record_label_logits(r, logits, spec_.label_column.value_or(0), columns) : logits;
  };
  const Tensor clean = answers(b.images);
  const Tensor perturbed = x.id == b.images.id ? clean : answers(x);
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
  const Tensor label = r.make("labels of real images", {rows, columns, 1, 1}, DType::i32);
  r.kernel("evaluate.mask_padding", r.kernels().mask_padding, [=](Access& at) {
    return MaskPadding{at.in<std::int32_t>(b.label), at.in<std::int32_t>(b.sample),
                       at.out<std::int32_t>(label), rows, columns};
  });
  r.kernel("evaluate.bin_confidence", r.kernels().bin_confidence, [=](Access& at) {
    return BinConfidence{
        at.in(perturbed), at.in<std::int32_t>(label), at.inout<CalibrationBin>(bins), decisions, classes,
        kCalibrationBins};
  });
  if (spec_.keep_images == KeepImages::yes)
    r.copy("evaluate.export", x, r.external("images out", kept_images_.as<void>(), x.shape));
  return r;
}

std::int64_t Evaluator::kept_rows(const Batch& batch) const {
  if (spec_.keep_images == KeepImages::no) return 0;
  if (spec_.keep_only.empty()) return batch.rows;
  return std::count_if(batch.images, batch.images + batch.rows, [&](std::int64_t image) {
    return std::binary_search(spec_.keep_only.begin(), spec_.keep_only.end(), image);
  });
}

std::vector<float> Evaluator::kept_images(const Batch& batch) const {
  std::vector<float> kept;
  if (spec_.keep_images == KeepImages::no) return kept;
  const auto cols = static_cast<std::size_t>(image_.per_sample());
  const auto append = [&](std::int64_t row, std::int64_t count) {
    const std::size_t before = kept.size(), more = static_cast<std::size_t>(count) * cols;
    kept.resize(before + more);
    kept_images_.download(kept.data() + before, more, static_cast<std::size_t>(row) * cols);
  };
  if (spec_.keep_only.empty()) {
    append(0, batch.rows);
  } else {
    for (std::int64_t row = 0; row < batch.rows; ++row)
      if (std::binary_search(spec_.keep_only.begin(), spec_.keep_only.end(), batch.images[row]))
        append(row, 1);
  }
  return kept;
}

bool Evaluator::fit(const BatchAnswers& a, const Batch& batch) const {
  const auto rows = static_cast<std::size_t>(batch.rows),
             logits = rows * static_cast<std::size_t>(images_.label_columns() * classes_);
  return a.clean_logits.size() == logits && a.logits.size() == logits && a.norms.size() == rows &&
         a.zero_gradients.size() == rows && a.all_gradients.size() == rows &&
         a.bins.size() == kCalibrationBins &&
         a.images.size() == static_cast<std::size_t>(kept_rows(batch) * image_.per_sample());
}

std::string Evaluator::key(const Batch& batch) const {
  std::string text = key_;
  for (std::int64_t row = 0; row < batch.rows; ++row)
    text += ' ' + std::to_string(batch.images[row]) + '/' + std::to_string(batch.restarts[row]);
  return text;
}

BatchAnswers Evaluator::run_batch(const Batch& batch, Preparation preparation) {
  const std::int64_t rows = batch.rows;
  std::transform(batch.images, batch.images + rows, index_.begin(),
                 [](std::int64_t i) { return static_cast<std::int32_t>(i); });
  std::fill(index_.begin() + rows, index_.end(), -1);
  images_.choose(index_.data());
  std::fill(std::copy_n(batch.restarts, rows, row_restart_.begin()), row_restart_.end(), 0);
  restart_.upload(row_restart_.data(), row_restart_.size());
  StepState state;
  state.seed = spec_.seed;
  state.restart = spec_.restart;
  state_.upload(&state, 1);
  BatchAnswers answers;
  answers.bins.assign(kCalibrationBins, {});
  bins_.upload(answers.bins.data(), answers.bins.size());
  const auto count = static_cast<std::size_t>(rows);
  answers.zero_gradients.resize(count);
  answers.all_gradients.resize(count);
  zero_gradients_.upload(answers.zero_gradients.data(), count);
  all_gradients_.upload(answers.all_gradients.data(), count);

  Program& program = last_ && rows < batch_ ? *last_ : program_;
  const PassCount before = program.passes();
  program.run(&program == &program_ ? preparation : Preparation::repeated);

  answers.passes = {program.passes().forward - before.forward, program.passes().backward - before.backward};
  const auto logits = static_cast<std::size_t>(rows * images_.label_columns() * classes_);
  answers.clean_logits.resize(logits);
  answers.logits.resize(logits);
  answers.norms.resize(static_cast<std::size_t>(rows));
  clean_logits_.download(answers.clean_logits.data(), logits);
  logits_.download(answers.logits.data(), logits);
  norms_.download(answers.norms.data(), answers.norms.size());
  answers.images = kept_images(batch);
  bins_.download(answers.bins.data(), answers.bins.size());
  zero_gradients_.download(answers.zero_gradients.data(), count);
  all_gradients_.download(answers.all_gradients.data(), count);
  return answers;
}

Evaluation Evaluator::run(const Progress& progress) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(n_));
  std::iota(all.begin(), all.end(), 0);
  return run(all, {}, progress);
}

Evaluation Evaluator::run(const std::vector<std::int64_t>& images, const std::vector<std::int32_t>& restarts,
                          const Progress& progress) {
  const auto n = static_cast<std::int64_t>(images.size());
  for (const std::int64_t i : images)
    if (i < 0 || i >= n_) fail(ErrorKind::internal, "Evaluator::run: image ", i, ", expected some of ", n_);
  if (!restarts.empty() && restarts.size() != images.size())
    fail(ErrorKind::internal, "Evaluator::run: ", restarts.size(), " restarts for ", n, " rows");
  if (last_ && n % batch_ != n_ % batch_)
    fail(ErrorKind::internal, "Evaluator::run: the last batch was recorded for ", n_ % batch_, " images");
  const std::vector<std::int32_t> zeros(restarts.empty() ? images.size() : 0);
  const std::int32_t* const number = restarts.empty() ? zeros.data() : restarts.data();
  Evaluation e;
  e.n = n;
  e.classes = classes_;
  const std::int64_t columns = images_.label_columns();
  e.columns = columns;
  for (const std::int64_t i : images)
    e.label.insert(e.label.end(), labels_.begin() + i * columns, labels_.begin() + (i + 1) * columns);
  if (spec_.constraints != nullptr && !spec_.constraints->eps_scale.empty())
    for (const std::int64_t i : images)
      e.eps_scale.insert(e.eps_scale.end(), static_cast<std::size_t>(columns),
                         spec_.constraints->eps_scale[static_cast<std::size_t>(i)]);
  e.bins.assign(kCalibrationBins, {});
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  bool prepared = false;
  for (std::int64_t first = 0; first < n; first += batch_) {
    const Batch batch{images.data() + first, number + first, std::min(batch_, n - first)};
    BatchAnswers answers;
    const std::string name = spec_.answers != nullptr ? key(batch) : std::string();
    if (spec_.answers == nullptr || !spec_.answers->recall(name, answers) || !fit(answers, batch)) {
      // Weights stand still: they are prepared for the first batch and kept for the others.
      answers = run_batch(batch, prepared ? Preparation::kept : Preparation::repeated);
      prepared = true;
      if (spec_.answers != nullptr) spec_.answers->keep(name, answers);
    }
    append(e.clean_logits, answers.clean_logits);
    append(e.logits, answers.logits);
    append(e.norms, answers.norms);
    append(e.images, answers.images);
    for (std::size_t b = 0; b < e.bins.size(); ++b) {
      e.bins[b].count += answers.bins[b].count;
      e.bins[b].correct += answers.bins[b].correct;
      e.bins[b].confidence += answers.bins[b].confidence;
    }
    append(e.zero_gradients, answers.zero_gradients);
    append(e.all_gradients, answers.all_gradients);
    e.image_passes.forward += answers.passes.forward * batch.rows;
    e.image_passes.backward += answers.passes.backward * batch.rows;
    if (progress) progress(first + batch.rows, n);
  }
  if (columns > 1) e.norms = repeated(e.norms, columns);
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
  for (std::size_t i = 0; i < e.label.size(); ++i) {
    r.clean.push_back(before[i] == e.label[i]);
    r.robust.push_back(r.clean[i] && after[i] == e.label[i]);
    r.clean_correct += r.clean[i] ? 1 : 0;
    r.robust_correct += r.robust[i] ? 1 : 0;
  }
  for (const auto& [of_all, of_image] : kNorms) {
    std::vector<double> distances;
    for (std::size_t i = 0; i < e.norms.size(); ++i) {
      r.largest.*of_all = std::max(r.largest.*of_all, e.norms[i].*of_image);
      if (r.clean[i] && !r.robust[i]) distances.push_back(e.norms[i].*of_image);
    }
    r.fooled_median.*of_all = median(std::move(distances));
  }
  r.robust_accuracy = static_cast<double>(r.robust_correct) / static_cast<double>(e.label.size());
  r.robust_accuracy_ci95 = wilson95_of_mean(r.robust_accuracy, e.n);
  r.success_rate = r.clean_correct > 0
                       ? static_cast<double>(r.fooled()) / static_cast<double>(r.clean_correct)
                       : std::numeric_limits<double>::quiet_NaN();
  const double gradients = sum(e.all_gradients);
  r.zero_gradient_fraction = gradients > 0 ? sum(e.zero_gradients) / gradients : 0;
  return r;
}

Evaluation up_to_survivor(const Evaluation& e, std::int64_t survivors) {
  const Robustness r = judge_robustness(e);
  const auto columns = static_cast<std::size_t>(e.columns);
  std::size_t decisions = 0;
  for (std::int64_t found = 0; decisions < e.label.size() && found < survivors; decisions += columns)
    for (std::size_t column = 0; column < columns; ++column) found += r.robust[decisions + column] ? 1 : 0;
  const auto rows = static_cast<std::ptrdiff_t>(decisions),
             logits = rows * static_cast<std::ptrdiff_t>(e.classes);
  Evaluation some;
  some.n = rows / e.columns;
  some.classes = e.classes;
  some.columns = e.columns;
  some.label.assign(e.label.begin(), e.label.begin() + rows);
  some.clean_logits.assign(e.clean_logits.begin(), e.clean_logits.begin() + logits);
  some.logits.assign(e.logits.begin(), e.logits.begin() + logits);
  some.norms.assign(e.norms.begin(), e.norms.begin() + rows);
  if (!e.eps_scale.empty()) some.eps_scale.assign(e.eps_scale.begin(), e.eps_scale.begin() + rows);
  some.zero_gradients.resize(decisions);
  some.all_gradients.resize(decisions);
  some.bins.assign(kCalibrationBins, {});
  return some;
}

Scores score(const Evaluation& e) {
  return score(Predictions(e.logits, e.label, e.classes, 1, e.columns));
}

}  // namespace inocula::attacks
