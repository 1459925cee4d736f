// Running a perturbation over a split and collecting what the network says of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "attacks/constraints.h"
#include "attacks/metrics.h"
#include "attacks/norm.h"
#include "engine/network.h"
#include "engine/perturbation.h"
#include "engine/program.h"
#include "engine/resident_images.h"
#include "kernels/measure.h"

namespace inocula::attacks {

inline constexpr std::int32_t kCalibrationBins = 15;

enum class KeepImages { no, yes };

struct EvaluatorSpec {
  std::int64_t batch = 64;  ///< at least 1; no more are taken than there are images
  std::uint64_t seed = 0;
  std::int64_t limit = 0;  ///< the first so many images of the split; 0 takes all
  NormMode attack_norm = NormMode::frozen;
  KeepImages keep_images = KeepImages::no;
  std::vector<std::int64_t> keep_only = {};  ///< rising numbers of the images to be kept; empty keeps all
  std::uint32_t restart = 0;  ///< number of the attack's first random draws: another one draws others
  const Constraints* constraints = nullptr;  ///< of the perturbation; must outlive the Evaluator; null: none
};

/// What came out, image by image, in the order of the split.
struct Evaluation {
  std::int64_t n = 0, classes = 0;
  std::vector<std::int32_t> label;
  std::vector<float> clean_logits;      ///< (n, classes) of the images as they are
  std::vector<float> logits;            ///< (n, classes) of the perturbed ones
  std::vector<PerturbationNorm> norms;  ///< measured afresh from the stored floats
  std::vector<float> eps_scale;         ///< factors of the radius, where images have radii of their own
  std::vector<float> images;            ///< (n or those kept alone, C, H, W), where they were to be kept
  std::vector<CalibrationBin> bins;     ///< of the perturbed logits
  std::uint64_t zero_gradients = 0, all_gradients = 0;
  PassCount image_passes;  ///< of an image through the network, attack and judgement together
};

/// A number in each norm.
struct Norms {
  double linf = 0, l2 = 0, l1 = 0, l0 = 0;
  double of(Norm norm) const;
};

/// An attack's verdict.
struct Robustness {
  std::int64_t clean_correct = 0;
  std::int64_t robust_correct = 0;  ///< right before and after
  double robust_accuracy = 0;       ///< robust_correct / n
  Interval robust_accuracy_ci95;
  double success_rate = 0;            ///< fooled / clean_correct; NaN where nothing was right
  Norms largest;                      ///< over all images
  Norms fooled_median;                ///< over those that were right and are fooled; NaN where none was
  double zero_gradient_fraction = 0;  ///< 0 where no gradient was taken
};
Robustness judge_robustness(const Evaluation& e);
Scores score(const Evaluation& e);

/// One Program, recorded once, run batch by batch as often as wanted. A last batch that is not full is filled
/// up with black images that count nowhere; with frozen statistics they change nothing, and the perturbed
/// image of a sample does not depend on the batch size. An attack that sees the batch's statistics depends on
/// the batch by its nature: there the last batch is a Program of its own, of real images only.
class Evaluator {
 public:
  using Progress = std::function<void(std::int64_t, std::int64_t)>;

  Evaluator(Network& network, const ImageSplit& split, const Perturbation& perturbation,
            const EvaluatorSpec& spec);

  /// All images, or the rising numbers of those to take, which make up the answer in that order and have
  /// among them what is to be kept. `progress` is called after each batch with the images done and in all; it
  /// may throw to stop.
  Evaluation run(const Progress& progress = {});
  Evaluation run(const std::vector<std::int64_t>& images, const Progress& progress = {});
  Program& program() { return program_; }

 private:
  Recorder record(Network& network, const Perturbation& perturbation, std::int64_t rows) const;
  Program finish(Network& network, const Perturbation& perturbation, std::int64_t rows) const;
  /// Answers the passes that it took.
  PassCount run_batch(const std::int64_t* images, std::int64_t rows, Preparation preparation);
  void keep_images(Evaluation& e, const std::int64_t* images, std::int64_t rows) const;

  EvaluatorSpec spec_;
  std::int64_t n_, classes_, batch_;
  Shape image_;
  std::vector<std::int32_t> labels_;
  ResidentImages images_;
  std::optional<ResidentConstraints> constraints_;
  std::vector<std::int32_t> index_;
  Buffer state_, clean_logits_, logits_, norms_, kept_images_, bins_, counts_;
  Program program_;
  std::optional<Program> last_;  ///< the batch that is not full, where padding would change the others
};

}  // namespace inocula::attacks
