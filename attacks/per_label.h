// Attacks on a network of several labels: each label by itself, all of them in one evaluation.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "attacks/stages.h"

namespace inocula::attacks {

/// What an attack on such images sees: the network's classes, or the two of a label.
std::int64_t attacked_classes(std::int64_t classes, const ImageSplit& split);

/// Of one label an image, or of a single label that `spec` names, evaluate_stages. Of several labels the
/// stages run against each of them (attacks/label_view.h), and the answer joins the decisions, image by
/// image: logits, norms and verdicts of label j are those of the image that the attack on label j made. No
/// image is kept, since there is one for each label. Stages are added up over the labels, in decisions.
/// `weaker` as there, of all labels.
StagedEvaluation evaluate_labels(
    Network& network, const ImageSplit& split, const std::vector<Stage>& stages, const EvaluatorSpec& spec,
    const Evaluation* weaker = nullptr,
    const std::function<void(const Stage&, std::int64_t, std::int64_t)>& progress = {});

}  // namespace inocula::attacks
