// Stages over the survivors.
#include "attacks/stages.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "attacks/clean.h"
#include "attacks/metrics.h"
#include "engine/error.h"

namespace inocula::attacks {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The images that are still right, in rising order.
std::vector<std::int64_t> right_ones(const Evaluation& e) {
  const std::vector<std::int32_t> predicted = argmax_rows(e.logits, e.classes);
  std::vector<std::int64_t> right;
  for (std::size_t i = 0; i < e.label.size(); ++i)
    if (predicted[i] == e.label[i]) right.push_back(static_cast<std::int64_t>(i));
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

  /// A negative number where it is not kept.
  std::int64_t row(std::int64_t image) const {
    const auto at = std::lower_bound(kept_.begin(), kept_.end(), image);
    return at != kept_.end() && *at == image ? at - kept_.begin() : -1;
  }

 private:
  std::vector<std::int64_t> kept_;
};

template <class T>
void copy_row(const std::vector<T>& from, std::int64_t row, std::vector<T>& to, std::int64_t to_row,
              std::int64_t cols) {
  std::copy_n(from.begin() + row * cols, cols, to.begin() + to_row * cols);
}

}  // namespace

StagedEvaluation evaluate_stages(
    Network& network, const ImageSplit& split, const std::vector<Stage>& stages, const EvaluatorSpec& spec,
    const std::function<void(const Stage&, std::int64_t, std::int64_t)>& progress) {
  const auto run = [&](const Stage& stage, const EvaluatorSpec& of_stage,
                       const std::vector<std::int64_t>* images) {
    Evaluator evaluator(network, split, *stage.perturbation, of_stage);
    const auto tell = [&](std::int64_t done, std::int64_t all) {
      if (progress) progress(stage, done, all);
    };
    return images != nullptr ? evaluator.run(*images, tell) : evaluator.run(tell);
  };
  if (stages.empty()) fail(ErrorKind::internal, "evaluate_stages: there is no stage");
  if (split.multi_label() && !spec.label_column)
    fail(ErrorKind::internal, "evaluate_stages: images have several labels, and none is to be attacked");

  StagedEvaluation result;
  if (stages.size() == 1 && !stages[0].right_only) {
    const Clock::time_point begin = Clock::now();
    EvaluatorSpec of_stage = spec;
    of_stage.restart = stages[0].restart;
    Evaluation& e = result.evaluation = run(stages[0], of_stage, nullptr);
    result.stages.push_back({.spec = stages[0].perturbation->spec(),
                             .tried = e.n,
                             .broken = e.n - static_cast<std::int64_t>(right_ones(e).size()),
                             .image_passes = e.image_passes,
                             .seconds = seconds_since(begin)});
    return result;
  }

  if (spec.attack_norm != NormMode::frozen)
    fail(ErrorKind::usage, stages[0].perturbation->spec(),
         " attacks the images that are left in batches of their own, expected frozen statistics "
         "(--attack-bn eval)");
  Evaluation& all = result.evaluation = Evaluator(network, split, Clean{}, spec).run();
  std::vector<std::int64_t> every(static_cast<std::size_t>(all.n));
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<std::int64_t>(i);
  const KeptRows kept_of_all(spec, every);
  const std::int64_t k = all.classes, cols = network.graph().input_shape().per_sample();
  std::vector<std::int64_t> right = right_ones(all);
  for (const Stage& stage : stages) {
    const Clock::time_point begin = Clock::now();
    StageReport report;
    report.spec = stage.perturbation->spec();
    report.tried = static_cast<std::int64_t>(right.size());
    if (!right.empty()) {
      EvaluatorSpec of_stage = spec;
      of_stage.restart = stage.restart;
      of_stage.batch = even_batch(report.tried, spec.batch);
      of_stage.keep_only.clear();
      if (!spec.keep_only.empty())
        std::set_intersection(spec.keep_only.begin(), spec.keep_only.end(), right.begin(), right.end(),
                              std::back_inserter(of_stage.keep_only));
      // Nobody asks for any of them: an empty list would keep all.
      if (!spec.keep_only.empty() && of_stage.keep_only.empty()) of_stage.keep_images = KeepImages::no;
      const Evaluation e = run(stage, of_stage, &right);
      const KeptRows kept(of_stage, right);
      const std::vector<std::int32_t> predicted = argmax_rows(e.logits, k);
      std::vector<std::int64_t> left;
      for (std::size_t row = 0; row < right.size(); ++row) {
        const std::int64_t image = right[row], at = static_cast<std::int64_t>(row);
        const bool broken = predicted[row] != e.label[row];
        if (!broken) left.push_back(image);
        if (!broken && &stage != &stages.front()) continue;
        copy_row(e.logits, at, all.logits, image, k);
        all.norms[static_cast<std::size_t>(image)] = e.norms[row];
        if (const std::int64_t from = kept.row(image); from >= 0)
          copy_row(e.images, from, all.images, kept_of_all.row(image), cols);
      }
      report.broken = report.tried - static_cast<std::int64_t>(left.size());
      report.image_passes = e.image_passes;
      all.image_passes.forward += e.image_passes.forward;
      all.image_passes.backward += e.image_passes.backward;
      all.zero_gradients += e.zero_gradients;
      all.all_gradients += e.all_gradients;
      right = std::move(left);
    }
    report.seconds = seconds_since(begin);
    result.stages.push_back(std::move(report));
  }
  return result;
}

}  // namespace inocula::attacks
