// Running a perturbation over a split and collecting what the network says of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "attacks/answer_store.h"
#include "attacks/constraints.h"
#include "attacks/defence.h"
#include "attacks/parts/norm.h"
#include "attacks/scores/metrics.h"
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
  /// Of several labels an image the one that is attacked and judged, as two classes; without it all are.
  std::optional<std::int64_t> label_column = {};
  const Constraints* constraints = nullptr;  ///< of the perturbation; must outlive the Evaluator; null: none
  const Defence* defence = nullptr;  ///< what stands before the network and is judged with it; may be null
  AnswerStore* answers = nullptr;    ///< batches that it knows are not run again; may be null
};

/// What came out, image by image, in the order of the split. Where images have several labels each of them is
/// a decision between two classes with logits (0, z), and `columns` is their number; else an image is one.
struct Evaluation {
  std::int64_t n = 0, classes = 0, columns = 1;
  std::vector<std::int32_t> label;      ///< (n, columns)
  std::vector<float> clean_logits;      ///< (n, columns, classes) of the images as they are
  std::vector<float> logits;            ///< (n, columns, classes) of the perturbed ones
  std::vector<PerturbationNorm> norms;  ///< (n, columns), measured afresh from the stored floats
  std::vector<float>
      eps_scale;              ///< (n, columns): factors of the radius, where images have radii of their own
  std::vector<float> images;  ///< (n or those kept alone, C, H, W), where they were to be kept
  std::vector<CalibrationBin> bins;  ///< of the perturbed logits
  /// (n): of each image; (n, columns) where its labels were attacked one by one.
  std::vector<std::uint64_t> zero_gradients, all_gradients;
  PassCount image_passes;  ///< of an image through the network, attack and judgement together
};

/// A number in each norm.
struct Norms {
  double linf = 0, l2 = 0, l1 = 0, l0 = 0;
  double of(Norm norm) const;
};

/// An attack's verdict, in decisions: one an image, or one for each of its labels.
struct Robustness {
  std::vector<bool> clean, robust;  ///< (n, columns): right before; right before and after
  std::int64_t clean_correct = 0;
  std::int64_t robust_correct = 0;
  double robust_accuracy = 0;  ///< robust_correct of all
  std::int64_t fooled() const { return clean_correct - robust_correct; }
  Interval robust_accuracy_ci95;
  double success_rate = 0;            ///< fooled / clean_correct; NaN where nothing was right
  Norms largest;                      ///< over all
  Norms fooled_median;                ///< over those that were right and are fooled; NaN where none was
  double zero_gradient_fraction = 0;  ///< 0 where no gradient was taken
};
Robustness judge_robustness(const Evaluation& e);
/// Its first images, as many as `survivors` decisions that are right before and after need; all where there
/// are fewer. Without kept images, bins and counts of passes and gradients.
Evaluation up_to_survivor(const Evaluation& e, std::int64_t survivors);
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

  /// All images, or the numbers of those to take, which make up the answer in that order and have among them
  /// what is to be kept. An image may be there several times: `restarts`, by row, are added to the numbers of
  /// the random draws; none are zeros. `progress` is called after each batch with the rows done and in all;
  /// it may throw to stop.
  Evaluation run(const Progress& progress = {});
  Evaluation run(const std::vector<std::int64_t>& images, const std::vector<std::int32_t>& restarts = {},
                 const Progress& progress = {});
  Program& program() { return program_; }

 private:
  Recorder record(Network& network, const Perturbation& perturbation, std::int64_t rows) const;
  Program finish(Network& network, const Perturbation& perturbation, std::int64_t rows) const;
  /// Rows of one run of the Program.
  struct Batch {
    const std::int64_t* images = nullptr;
    const std::int32_t* restarts = nullptr;
    std::int64_t rows = 0;
  };
  BatchAnswers run_batch(const Batch& batch, Preparation preparation);
  std::vector<float> kept_images(const Batch& batch) const;
  /// Whether answers that somebody remembered can be this batch's.
  bool fit(const BatchAnswers& answers, const Batch& batch) const;
  std::int64_t kept_rows(const Batch& batch) const;
  std::string key(const Batch& batch) const;

  EvaluatorSpec spec_;
  std::int64_t n_, classes_, batch_;  ///< classes of a decision
  Shape image_;
  bool multi_label_;
  std::vector<std::int32_t> labels_;  ///< (n, columns)
  ResidentImages images_;
  std::optional<ResidentConstraints> constraints_;
  std::vector<std::int32_t> index_, row_restart_;  ///< (batch)
  std::string key_;                                ///< of everything but the rows
  Buffer state_, restart_, clean_logits_, logits_, norms_, kept_images_, bins_, zero_gradients_,
      all_gradients_;
  Program program_;
  std::optional<Program> last_;  ///< the batch that is not full, where padding would change the others
};

}  // namespace inocula::attacks
