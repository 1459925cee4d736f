// Label after label.
#include "attacks/per_label.h"

#include <optional>

namespace inocula::attacks {

namespace {

/// The decisions of one label.
Evaluation decisions_of(const Evaluation& all, std::int64_t label) {
  Evaluation one;
  one.n = all.n;
  one.classes = all.classes;
  one.bins.resize(all.bins.size());
  for (std::int64_t image = 0; image < all.n; ++image) {
    const auto from = static_cast<std::size_t>(image * all.columns + label);
    one.label.push_back(all.label[from]);
    one.norms.push_back(all.norms[from]);
    if (!all.eps_scale.empty()) one.eps_scale.push_back(all.eps_scale[from]);
    for (std::size_t k = 0; k < 2; ++k) {
      one.clean_logits.push_back(all.clean_logits[2 * from + k]);
      one.logits.push_back(all.logits[2 * from + k]);
    }
  }
  return one;
}

/// Puts the decisions of one label, `from`, where they belong among those of all.
void place(const Evaluation& from, std::int64_t label, Evaluation& all) {
  for (std::int64_t image = 0; image < from.n; ++image) {
    const auto row = static_cast<std::size_t>(image),
               to = static_cast<std::size_t>(image * all.columns + label);
    all.label[to] = from.label[row];
    all.norms[to] = from.norms[row];
    if (!all.eps_scale.empty()) all.eps_scale[to] = from.eps_scale[row];
    all.zero_gradients[to] = from.zero_gradients[row];
    all.all_gradients[to] = from.all_gradients[row];
    for (std::size_t k = 0; k < 2; ++k) {
      all.clean_logits[2 * to + k] = from.clean_logits[2 * row + k];
      all.logits[2 * to + k] = from.logits[2 * row + k];
    }
  }
}

void add(const PassCount& from, PassCount& to) {
  to.forward += from.forward;
  to.backward += from.backward;
}

}  // namespace

std::int64_t attacked_classes(std::int64_t classes, const ImageSplit& split) {
  return split.multi_label() ? 2 : classes;
}

StagedEvaluation evaluate_labels(
    Network& network, const ImageSplit& split, const std::vector<Stage>& stages, const EvaluatorSpec& spec,
    const Evaluation* weaker, const std::function<void(const Stage&, std::int64_t, std::int64_t)>& progress) {
  if (!split.multi_label() || spec.label_column)
    return evaluate_stages(network, split, stages, spec, weaker, progress);
  StagedEvaluation joined;
  Evaluation& all = joined.evaluation;
  all.columns = split.label_columns;
  for (std::int64_t label = 0; label < all.columns; ++label) {
    EvaluatorSpec of_label = spec;
    of_label.label_column = label;
    of_label.keep_images = KeepImages::no;
    const std::optional<Evaluation> before =
        weaker != nullptr ? std::optional(decisions_of(*weaker, label)) : std::nullopt;
    const StagedEvaluation one =
        evaluate_stages(network, split, stages, of_label, before ? &*before : nullptr, progress);
    const Evaluation& e = one.evaluation;
    if (label == 0) {
      all.n = e.n;
      all.classes = e.classes;
      const auto decisions = static_cast<std::size_t>(all.n * all.columns);
      all.label.resize(decisions);
      all.norms.resize(decisions);
      all.eps_scale.resize(e.eps_scale.empty() ? 0 : decisions);
      all.zero_gradients.resize(decisions);
      all.all_gradients.resize(decisions);
      all.clean_logits.resize(2 * decisions);
      all.logits.resize(2 * decisions);
      all.bins.resize(e.bins.size());
      joined.stages.resize(one.stages.size());
    }
    place(e, label, all);
    for (std::size_t b = 0; b < e.bins.size(); ++b) {
      all.bins[b].count += e.bins[b].count;
      all.bins[b].correct += e.bins[b].correct;
      all.bins[b].confidence += e.bins[b].confidence;
    }
    add(e.image_passes, all.image_passes);
    for (std::size_t s = 0; s < one.stages.size(); ++s) {
      StageReport& stage = joined.stages[s];
      stage.spec = one.stages[s].spec;
      stage.tried += one.stages[s].tried;
      stage.broken += one.stages[s].broken;
      add(one.stages[s].image_passes, stage.image_passes);
      stage.seconds += one.stages[s].seconds;
    }
  }
  return joined;
}

}  // namespace inocula::attacks
