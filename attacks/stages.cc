// Stages over the survivors.
#include "attacks/stages.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <numeric>
#include <span>

#include "attacks/clean.h"
#include "attacks/scores/metrics.h"
#include "engine/error.h"

namespace inocula::attacks {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The images that were right and are still, in rising order.
std::vector<std::int64_t> right_ones(const Evaluation& e) {
  const Robustness r = judge_robustness(e);
  std::vector<std::int64_t> right;
  for (std::size_t i = 0; i < r.robust.size(); ++i)
    if (r.robust[i]) right.push_back(static_cast<std::int64_t>(i));
  return right;
}

/// Batches of about the same size, so that the last one is not all padding.
std::int64_t even_batch(std::int64_t images, std::int64_t batch) {
  const std::int64_t batches = (images + batch - 1) / batch;
  return (images + batches - 1) / batches;
}

/// Where the rows of kept images are in an evaluation of `images`.
class KeptRows {
 public:
  KeptRows(const EvaluatorSpec& spec, const std::vector<std::int64_t>& images)
      : kept_(spec.keep_images == KeepImages::no ? std::vector<std::int64_t>{}
              : spec.keep_only.empty()           ? images
                                                 : spec.keep_only) {}

  std::int64_t count() const { return static_cast<std::int64_t>(kept_.size()); }
  /// A negative number where it is not kept.
  std::int64_t row(std::int64_t image) const {
    const auto at = std::lower_bound(kept_.begin(), kept_.end(), image);
    return at != kept_.end() && *at == image ? at - kept_.begin() : -1;
  }

 private:
  std::vector<std::int64_t> kept_;  ///< rising
};

template <class T>
void copy_row(const std::vector<T>& from, std::int64_t row, std::vector<T>& to, std::int64_t to_row,
              std::int64_t cols) {
  std::copy_n(from.begin() + row * cols, cols, to.begin() + to_row * cols);
}

/// How many of the stages from `first` on differ in their restart alone.
std::size_t count_restarts(const std::vector<Stage>& stages, std::size_t first) {
  std::size_t count = 1;
  const std::string spec = stages[first].perturbation->spec();
  while (first + count < stages.size() && stages[first + count].perturbation->spec() == spec) ++count;
  return count;
}

/// Stages over the images that are still right.
class Survivors {
 public:
  using Progress = std::function<void(const Stage&, std::int64_t, std::int64_t)>;

  Survivors(Network& network, const ImageSplit& split, const EvaluatorSpec& spec, Evaluation& all,
            const Progress& progress)
      : network_(network),
        split_(split),
        spec_(spec),
        all_(all),
        progress_(progress),
        every_(static_cast<std::size_t>(all.n)),
        right_(right_ones(all)) {
    std::iota(every_.begin(), every_.end(), 0);
  }

  /// How many of `restarts` stages fill a batch.
  std::size_t fitting(std::size_t restarts) const {
    const auto images = std::max<std::int64_t>(static_cast<std::int64_t>(right_.size()), 1);
    return std::min(restarts, static_cast<std::size_t>(std::max<std::int64_t>(spec_.batch / images, 1)));
  }

  /// Stages that differ in their restart alone, as rows of the same batches. With `answers_all` the first one
  /// answers for the images that none breaks.
  std::vector<StageReport> run(std::span<const Stage> stages, bool answers_all) {
    const Clock::time_point begin = Clock::now();
    const std::size_t images = right_.size();
    std::vector<StageReport> reports(stages.size());
    for (StageReport& report : reports) report.spec = stages[0].perturbation->spec();
    if (images == 0) return reports;

    std::vector<std::int64_t> rows;
    std::vector<std::int32_t> restarts;
    for (const Stage& stage : stages) {
      rows.insert(rows.end(), right_.begin(), right_.end());
      restarts.insert(restarts.end(), images, static_cast<std::int32_t>(stage.restart));
    }
    const EvaluatorSpec spec = spec_of(static_cast<std::int64_t>(rows.size()));
    const Evaluation e = Evaluator(network_, split_, *stages[0].perturbation, spec)
                             .run(rows, restarts, [&](std::int64_t done, std::int64_t of) {
                               if (progress_) progress_(stages[0], done, of);
                             });
    const KeptRows kept(spec, right_);
    const std::vector<std::int32_t> predicted = argmax_rows(e.logits, e.classes);
    std::vector<std::int64_t> left;
    for (std::size_t i = 0; i < images; ++i) {
      // What comes after the stage that breaks it is as if it had not been.
      std::size_t stage = 0;
      for (; stage < stages.size(); ++stage) {
        const std::size_t row = stage * images + i;
        const bool broken = predicted[row] != e.label[i];
        reports[stage].tried += 1;
        reports[stage].broken += broken ? 1 : 0;
        all_.zero_gradients[static_cast<std::size_t>(right_[i])] += e.zero_gradients[row];
        all_.all_gradients[static_cast<std::size_t>(right_[i])] += e.all_gradients[row];
        if (broken) break;
      }
      if (stage == stages.size()) {
        left.push_back(right_[i]);
        if (!answers_all) continue;
        stage = 0;
      }
      take(e, kept, stage, i);
    }
    all_.image_passes.forward += e.image_passes.forward;
    all_.image_passes.backward += e.image_passes.backward;
    const auto parts = static_cast<std::int64_t>(stages.size());
    for (StageReport& report : reports) {
      report.image_passes = {e.image_passes.forward / parts, e.image_passes.backward / parts};
      report.seconds = seconds_since(begin) / static_cast<double>(parts);
    }
    right_ = std::move(left);
    return reports;
  }

 private:
  EvaluatorSpec spec_of(std::int64_t rows) const {
    EvaluatorSpec spec = spec_;
    spec.batch = even_batch(rows, spec_.batch);
    if (spec_.keep_only.empty()) return spec;
    spec.keep_only.clear();
    std::set_intersection(spec_.keep_only.begin(), spec_.keep_only.end(), right_.begin(), right_.end(),
                          std::back_inserter(spec.keep_only));
    // Nobody asks for any of them: an empty list would keep all.
    if (spec.keep_only.empty()) spec.keep_images = KeepImages::no;
    return spec;
  }

  /// Survivor i's answer becomes that of one of the stages. What is kept lies stage by stage.
  void take(const Evaluation& e, const KeptRows& kept, std::size_t stage, std::size_t i) {
    const std::int64_t image = right_[i];
    const auto row = static_cast<std::int64_t>(stage * right_.size() + i);
    copy_row(e.logits, row, all_.logits, image, e.classes);
    all_.norms[static_cast<std::size_t>(image)] = e.norms[static_cast<std::size_t>(row)];
    if (const std::int64_t from = kept.row(image); from >= 0)
      copy_row(e.images, static_cast<std::int64_t>(stage) * kept.count() + from, all_.images,
               KeptRows(spec_, every_).row(image), network_.graph().input_shape().per_sample());
  }

  Network& network_;
  const ImageSplit& split_;
  const EvaluatorSpec& spec_;
  Evaluation& all_;
  const Progress& progress_;
  std::vector<std::int64_t> every_, right_;
};

}  // namespace

void check_stages(const std::vector<Stage>& stages, NormMode attack_norm) {
  const bool on_all = stages.size() == 1 && !stages[0].right_only;
  if (!on_all && attack_norm != NormMode::frozen)
    fail(ErrorKind::usage, stages[0].perturbation->spec(),
         " attacks the images that are left in batches of their own, expected frozen statistics "
         "(--attack-bn eval)");
}

StagedEvaluation evaluate_stages(
    Network& network, const ImageSplit& split, const std::vector<Stage>& stages, const EvaluatorSpec& spec,
    const Evaluation* weaker, const std::function<void(const Stage&, std::int64_t, std::int64_t)>& progress) {
  if (stages.empty()) fail(ErrorKind::internal, "evaluate_stages: there is no stage");
  if (split.multi_label() && !spec.label_column)
    fail(ErrorKind::internal, "evaluate_stages: images have several labels, and none is to be attacked");

  StagedEvaluation result;
  if (stages.size() == 1 && !stages[0].right_only && weaker == nullptr) {
    const Clock::time_point begin = Clock::now();
    EvaluatorSpec of_stage = spec;
    of_stage.restart = stages[0].restart;
    Evaluation& e = result.evaluation = Evaluator(network, split, *stages[0].perturbation, of_stage)
                                            .run([&](std::int64_t done, std::int64_t all) {
                                              if (progress) progress(stages[0], done, all);
                                            });
    result.stages.push_back({.spec = stages[0].perturbation->spec(),
                             .tried = e.n,
                             .broken = judge_robustness(e).fooled(),
                             .image_passes = e.image_passes,
                             .seconds = seconds_since(begin)});
    return result;
  }

  check_stages(stages, spec.attack_norm);
  if (weaker != nullptr) {
    result.evaluation = *weaker;
    result.evaluation.image_passes = {};
    result.evaluation.zero_gradients.assign(weaker->label.size(), 0);
    result.evaluation.all_gradients.assign(weaker->label.size(), 0);
  } else {
    result.evaluation = Evaluator(network, split, Clean{}, spec).run();
  }
  Survivors survivors(network, split, spec, result.evaluation, progress);
  for (std::size_t first = 0; first < stages.size();) {
    const std::size_t count = survivors.fitting(count_restarts(stages, first));
    for (StageReport& report : survivors.run(std::span(stages).subspan(first, count), first == 0))
      result.stages.push_back(std::move(report));
    first += count;
  }
  return result;
}

}  // namespace inocula::attacks
