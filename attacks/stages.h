// An attack of several parts, each tried on the images that those before it left right.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attacks/evaluate.h"
#include "engine/perturbation.h"

namespace inocula::attacks {

/// One part: a Program of its own.
struct Stage {
  std::unique_ptr<Perturbation> perturbation;
  std::uint32_t restart = 0;  ///< number of its random draws
  bool right_only = false;    ///< an image that is wrong already needs none of it
};

/// What a stage did.
struct StageReport {
  std::string spec;
  std::int64_t tried = 0, broken = 0;  ///< images
  PassCount image_passes = {};         ///< as in Evaluation
  double seconds = 0;
};

/// Throws Error (usage) where the stages would attack images in batches of their own under the batch's
/// statistics.
void check_stages(const std::vector<Stage>& stages, NormMode attack_norm);

struct StagedEvaluation {
  Evaluation evaluation;
  std::vector<StageReport> stages;
};

/// A single stage that is not for the right ones alone sees every image and is what Evaluator makes of it.
/// Else each sees the images that are right as they are and after all stages before; an image's answer is
/// that of the stage that broke it, or that of the first stage where none did, or the image itself where it
/// was wrong to begin with. Which images a stage sees changes nothing for each of them: randomness belongs to
/// the sample. Stages that differ in their restart alone run as rows of one batch where it has room for them.
///
/// `weaker`, of the same split and spec: what a weaker form of the attack, such as one of a smaller radius,
/// made of the images. What it left wrong stays as it is, and only the others are attacked.
///
/// `progress` is called with the stage that runs and Evaluator's numbers.
StagedEvaluation evaluate_stages(
    Network& network, const ImageSplit& split, const std::vector<Stage>& stages, const EvaluatorSpec& spec,
    const Evaluation* weaker = nullptr,
    const std::function<void(const Stage&, std::int64_t, std::int64_t)>& progress = {});

}  // namespace inocula::attacks
