// Kernels on rows of images and of logits: attacks, their judgement, losses, scores.
#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "bench/kernel_cases.h"

namespace inocula::bench::cases {

namespace {

constexpr double kFloat = sizeof(float);

/// Rows of `cols` floats that fill an array.
std::int64_t rows_of(const Arrays& m, std::int64_t cols) {
  return m.size() / cols;
}

/// Each row its number, in the third array.
const std::int32_t* numbered_samples(Arrays& m, std::int64_t rows) {
  std::vector<std::int32_t> sample(static_cast<std::size_t>(rows));
  std::iota(sample.begin(), sample.end(), 0);
  return m.integers(2, sample);
}

KernelWork<PgdStep> pgd_step(Arrays& m) {
  PgdStep a;
  a.x = m.floats(0, 0.51f);
  a.gradient = m.floats(1, 1e-3f);
  a.clean = m.floats(2, 0.5f);
  a.rows = rows_of(m, kPixels);
  a.cols = kPixels;
  a.alpha = 1.0f / 255;
  a.eps = 8.0f / 255;
  return {a, 4 * kFloat * static_cast<double>(a.rows * a.cols)};
}

KernelWork<RandomStart> random_start(Arrays& m) {
  RandomStart a;
  a.x = m.floats(0);
  a.clean = m.floats(1);
  a.rows = rows_of(m, kPixels);
  a.cols = kPixels;
  a.sample = numbered_samples(m, a.rows);
  a.state = m.one(0, StepState{});
  a.eps = 8.0f / 255;
  a.deviation = 1e-3f;
  return {a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
}

KernelWork<Noise> noise_of(Arrays& m, float level) {
  Noise a;
  a.y = m.floats(0);
  a.x = m.floats(1, 0.5f);
  a.rows = rows_of(m, kPixels);
  a.cols = kPixels;
  a.sample = numbered_samples(m, a.rows);
  a.state = m.one(0, StepState{});
  a.level = level;
  return {a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
}

/// As many images as an array holds and there is scratch for, at most 2048.
std::int64_t augmented_rows(const Arrays& m, std::int64_t values) {
  const auto bytes = static_cast<std::int64_t>(augmix_scratch_bytes(values));
  const std::int64_t scratch = m.size() * static_cast<std::int64_t>(sizeof(float)) / bytes;
  return std::min({std::int64_t{2048}, scratch, rows_of(m, values)});
}

/// Gradients with noise, so that histograms have many levels: an even image would spare most of the work.
const float* textured(Arrays& m, std::int64_t values) {
  std::vector<std::int32_t> bits(static_cast<std::size_t>(values));
  std::uint32_t noise = 1;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    noise = noise * 1664525 + 1013904223;
    const std::size_t level = 20 + (i % kPixels) / 5 + (noise >> 26);
    bits[i] = std::bit_cast<std::int32_t>(static_cast<float>(level) / 255.0f);
  }
  return reinterpret_cast<const float*>(m.integers(1, bits));
}

KernelWork<AugMix> augmix_of(Arrays& m, std::int64_t channels, std::int64_t side) {
  AugMix a;
  a.channels = channels;
  a.height = a.width = side;
  const std::int64_t values = channels * side * side;
  a.rows = augmented_rows(m, values);
  a.y = m.floats(0);
  a.x = textured(m, a.rows * values);
  a.sample = numbered_samples(m, a.rows);
  a.state = m.one(0, StepState{});
  a.scratch = m.zeros<std::uint8_t>(3);
  a.set = ImageOpSet::all;
  return {a, 2 * kFloat * static_cast<double>(a.rows * values)};
}

KernelWork<Augment> augment_of(Arrays& m, ImageOp kind) {
  Augment a;
  a.rows = augmented_rows(m, kPixels);
  a.y = m.floats(0);
  a.x = textured(m, a.rows * kPixels);
  a.scratch = m.zeros<std::uint8_t>(3);
  a.channels = 1;
  a.height = a.width = kSide;
  a.kind = kind;
  a.level = 2;
  return {a, 2 * kFloat * static_cast<double>(a.rows * kPixels)};
}

/// A loss of logits against labels, with its arrays and no shape yet.
template <class Loss>
Loss loss_of(Arrays& m) {
  Loss a;
  a.logits = m.floats(0);
  a.label = m.zeros<std::int32_t>(1);
  a.dlogits = m.floats(2);
  a.loss = m.floats(3);
  a.predicted = m.zeros<std::int32_t>(4);
  return a;
}

KernelWork<SoftmaxCe> softmax_ce_of(Arrays& m, std::int64_t classes) {
  auto a = loss_of<SoftmaxCe>(m);
  a.rows = rows_of(m, classes);
  a.classes = classes;
  return {a, kFloat * static_cast<double>(a.rows * (2 * classes + 3))};
}

KernelWork<MarginLoss> margin_of(Arrays& m, std::int64_t classes) {
  auto a = loss_of<MarginLoss>(m);
  a.rows = rows_of(m, classes);
  a.classes = classes;
  return {a, kFloat * static_cast<double>(a.rows * (2 * classes + 3))};
}

/// Searches in their first turn, with windows of the largest side.
KernelWork<SquareAttack> square_of(Arrays& m) {
  SquareAttack a;
  a.x = m.floats(0, 0.51f);
  a.best = m.floats(1, 0.51f);
  a.clean = m.floats(3, 0.5f);
  a.rows = rows_of(m, kPixels);
  a.channels = 1;
  a.height = a.width = kSide;
  a.sample = numbered_samples(m, a.rows);
  a.search = m.zeros<SquareSearch>(4);
  a.done = m.zeros<std::int32_t>(7);
  // Right everywhere, and no better than before.
  a.loss = m.floats(5, 0.0f);
  a.predicted = a.label = m.zeros<std::int32_t>(5);
  a.state = m.one(0, StepState{});
  a.eps = 8.0f / 255;
  for (SquarePhase& phase : a.phase) phase.side = 25;
  return {a, 3 * kFloat * static_cast<double>(a.rows * kPixels)};
}

/// A plane that lies across the box: of every second pixel the gradient has another size and sign.
KernelWork<FabStep> fab_step_of(Arrays& m, Distance norm) {
  FabStep a;
  a.x = m.floats(0, 0.51f);
  a.clean = m.floats(1, 0.5f);
  a.rows = rows_of(m, kPixels);
  a.cols = kPixels;
  std::vector<std::int32_t> bits(static_cast<std::size_t>(a.rows * kPixels));
  for (std::size_t i = 0; i < bits.size(); ++i)
    bits[i] = std::bit_cast<std::int32_t>(static_cast<float>(i % 31) * (i % 2 == 0 ? 1e-3f : -1e-3f));
  a.gradient = reinterpret_cast<const float*>(m.integers(2, bits));
  a.margin = m.floats(3, 0.5f);
  a.alpha_max = 0.1f;
  a.eta = 1.05f;
  a.norm = norm;
  return {a, 4 * kFloat * static_cast<double>(a.rows * a.cols)};
}

/// Rows far outside, and put there again before each launch.
KernelWork<ProjectBall> project_of(Arrays& m, float eps) {
  ProjectBall a;
  a.x = m.floats(0, 0.9f);
  a.clean = m.floats(1, 0.5f);
  a.rows = rows_of(m, kPixels);
  a.cols = kPixels;
  a.eps = eps;
  return {a, 3 * kFloat * static_cast<double>(a.rows * kPixels), 0, Fill{a.x, a.rows * kPixels, 0.9f}};
}

KernelWork<ConsistencyCe> consistency_of(Arrays& m, std::int32_t views) {
  constexpr std::int64_t kClasses = 9;
  auto a = loss_of<ConsistencyCe>(m);
  a.rows = rows_of(m, views * kClasses);
  a.classes = kClasses;
  a.views = views;
  return {a, kFloat * static_cast<double>(a.rows * (2 * views * kClasses + 3))};
}

KernelWork<KlDivergence> kl_divergence_of(Arrays& m, std::int64_t classes) {
  KlDivergence a;
  a.reference = m.floats(0);
  a.logits = m.floats(1);
  a.dlogits = m.floats(2);
  a.loss = m.floats(3);
  a.predicted = m.zeros<std::int32_t>(4);
  a.rows = rows_of(m, classes);
  a.classes = classes;
  return {a, kFloat * static_cast<double>(a.rows * (3 * classes + 2))};
}

KernelWork<ChooseTarget> target_by(Arrays& m, TargetRule rule) {
  constexpr std::int64_t kClasses = 9;
  ChooseTarget a;
  a.logits = m.floats(0);
  a.label = m.zeros<std::int32_t>(1);
  a.sample = m.zeros<std::int32_t>(2);
  a.state = m.one(0, StepState{});
  a.target = m.zeros<std::int32_t>(3);
  a.rows = rule == TargetRule::least_likely ? rows_of(m, kClasses) : m.size();
  a.classes = kClasses;
  a.rule = rule;
  // Written, and read: the logits and the label, or label and sample.
  const std::int64_t numbers = rule == TargetRule::given ? 1 : rule == TargetRule::random ? 3 : kClasses + 2;
  return {a, kFloat * static_cast<double>(a.rows * numbers)};
}

KernelWork<BinConfidence> bin_confidence_of(Arrays& m, std::int64_t classes) {
  BinConfidence a;
  a.logits = m.floats(0);
  a.label = m.zeros<std::int32_t>(1);
  a.bin = m.zeros<CalibrationBin>(2);
  a.rows = rows_of(m, classes);
  a.classes = classes;
  return {a, kFloat * static_cast<double>(a.rows * (classes + 1))};
}

/// As many searches as an array holds.
std::int64_t searches_of(const Arrays& m) {
  return m.size() * static_cast<std::int64_t>(sizeof(float)) / static_cast<std::int64_t>(sizeof(CwSearch));
}

/// Gradients that differ from pixel to pixel, in array number `which`.
const float* noise_around_zero(Arrays& m, std::size_t which, std::uint32_t seed) {
  std::vector<std::int32_t> bits(static_cast<std::size_t>(m.size()));
  for (std::int32_t& word : bits) {
    seed = seed * 1664525 + 1013904223;
    word = std::bit_cast<std::int32_t>(static_cast<float>(seed >> 8) / 16777216.0f - 0.5f);
  }
  return reinterpret_cast<const float*>(m.integers(which, bits));
}

}  // namespace

std::vector<KernelCase<PgdStep>> pgd_step_linf() {
  return {{"", pgd_step}};
}

std::vector<KernelCase<PgdStep>> pgd_step_l2() {
  return {{"", pgd_step}};
}

/// A hundredth of the pixels move.
std::vector<KernelCase<SparseStep>> sparse_step() {
  return {{"", [](Arrays& m) {
             SparseStep a;
             a.x = m.floats(0, 0.51f);
             a.gradient = textured(m, kPixels);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.count = kPixels / 100;
             a.alpha = 1e-6f;
             return KernelWork<SparseStep>{a, 3 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<SparseApgdStep>> sparse_apgd_step() {
  return {{"", [](Arrays& m) {
             SparseApgdStep a;
             a.x = m.floats(0, 0.51f);
             a.gradient = textured(m, kPixels);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.state = m.many(2, std::vector<SparseApgdState>(static_cast<std::size_t>(a.rows),
                                                              {.step = 1e-6f, .count = kPixels / 50}));
             a.done = m.zeros<std::int32_t>(3);
             return KernelWork<SparseApgdStep>{a, 3 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<SparseApgdLook>> sparse_apgd_look() {
  return {{"better", [](Arrays& m) {
             SparseApgdLook a;
             a.x = m.floats(0, 0.51f);
             a.gradient = m.floats(1, 1e-3f);
             a.best = m.floats(2);
             a.best_gradient = m.floats(3);
             a.clean = m.floats(4, 0.5f);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.loss = m.floats(5, 1.0f);
             a.sample = m.zeros<std::int32_t>(6);
             // Every look is a first one, which always copies and counts.
             a.state = m.zeros<SparseApgdState>(7);
             a.done = m.zeros<std::int32_t>(8);
             a.step = 1;
             return KernelWork<SparseApgdLook>{a, 6 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

/// A step of Auto-PGD in its middle.
KernelWork<ApgdStep> apgd_step(Arrays& m) {
  ApgdStep a;
  a.x = m.floats(0, 0.51f);
  a.previous = m.floats(1, 0.505f);
  a.gradient = m.floats(2, 1e-3f);
  a.clean = m.floats(3, 0.5f);
  a.rows = rows_of(m, kPixels);
  a.cols = kPixels;
  const std::vector<ApgdState> state(static_cast<std::size_t>(a.rows), {.step = 2.0f / 255, .turn = 5});
  a.state = m.many(4, state);
  a.done = m.zeros<std::int32_t>(5);
  a.eps = 8.0f / 255;
  return {a, 6 * kFloat * static_cast<double>(a.rows * a.cols)};
}

std::vector<KernelCase<ApgdStep>> apgd_step_linf() {
  return {{"", apgd_step}};
}

std::vector<KernelCase<ApgdStep>> apgd_step_l2() {
  return {{"", apgd_step}};
}

std::vector<KernelCase<ApgdLook>> apgd_look() {
  return {{"better", [](Arrays& m) {
             ApgdLook a;
             a.x = m.floats(0, 0.51f);
             a.gradient = m.floats(1, 1e-3f);
             a.best = m.floats(2);
             a.best_gradient = m.floats(3);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.loss = m.floats(4, 1.0f);
             a.hit = m.zeros<std::int32_t>(5);
             a.sample = a.hit;
             // Every look is a first one, which always copies.
             a.state = m.zeros<ApgdState>(6);
             a.done = m.zeros<std::int32_t>(7);
             a.step = 1.0f / 255;
             return KernelWork<ApgdLook>{a, 4 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<AccumulateMomentum>> accumulate_momentum() {
  return {{"", [](Arrays& m) {
             AccumulateMomentum a;
             a.momentum = m.floats(0);
             a.gradient = m.floats(1, 1e-3f);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             return KernelWork<AccumulateMomentum>{a, 3 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<AddDelta>> add_delta() {
  return {{"", [](Arrays& m) {
             AddDelta a;
             a.x = m.floats(0);
             a.clean = m.floats(1, 0.5f);
             a.delta = m.floats(2, 1e-2f);
             a.size = m.size();
             a.eps = 8.0f / 255;
             return KernelWork<AddDelta>{a, 3 * kFloat * static_cast<double>(a.size)};
           }}};
}

std::vector<KernelCase<AscendDelta>> ascend_delta_linf() {
  return {{"", [](Arrays& m) {
             AscendDelta a;
             a.delta = m.floats(0, 1e-2f);
             a.gradient = m.floats(1, 1e-3f);
             a.size = m.size();
             a.eps = 8.0f / 255;
             return KernelWork<AscendDelta>{a, 3 * kFloat * static_cast<double>(a.size)};
           }}};
}

std::vector<KernelCase<RandomStart>> start_uniform_linf() {
  return {{"", random_start}};
}

std::vector<KernelCase<RandomStart>> start_uniform_l1() {
  return {{"", random_start}};
}

std::vector<KernelCase<RandomStart>> start_uniform_l2() {
  return {{"", random_start}};
}

std::vector<KernelCase<RandomStart>> start_sphere_l2() {
  return {{"", random_start}};
}

std::vector<KernelCase<RandomStart>> start_normal_linf() {
  return {{"", random_start}};
}

std::vector<KernelCase<RandomStart>> start_normal_l2() {
  return {{"", random_start}};
}

std::vector<KernelCase<NextRestart>> next_restart() {
  return {{"", [](Arrays& m) { return KernelWork<NextRestart>{{m.one(0, StepState{})}}; }}};
}

std::vector<KernelCase<Noise>> gaussian_noise() {
  return {{"", [](Arrays& m) { return noise_of(m, 0.1f); }}};
}

std::vector<KernelCase<Noise>> speckle_noise() {
  return {{"", [](Arrays& m) { return noise_of(m, 0.1f); }}};
}

std::vector<KernelCase<Noise>> impulse_noise() {
  return {{"", [](Arrays& m) { return noise_of(m, 0.1f); }}};
}

std::vector<KernelCase<Noise>> shot_noise() {
  return {{"60_photons", [](Arrays& m) { return noise_of(m, 60); }}};
}

std::vector<KernelCase<ConsistencyCe>> jsd_ce() {
  return {{"3_views_9_classes", [](Arrays& m) { return consistency_of(m, 3); }}};
}

std::vector<KernelCase<ConsistencyCe>> kl_ce() {
  return {{"2_views_9_classes", [](Arrays& m) { return consistency_of(m, 2); }}};
}

std::vector<KernelCase<MarginLoss>> margin_loss() {
  return {{"2_classes", [](Arrays& m) { return margin_of(m, 2); }},
          {"9_classes", [](Arrays& m) { return margin_of(m, 9); }}};
}

std::vector<KernelCase<MarginLoss>> dlr_loss() {
  return {{"9_classes", [](Arrays& m) { return margin_of(m, 9); }}};
}

std::vector<KernelCase<KlDivergence>> kl_divergence() {
  return {{"2_classes", [](Arrays& m) { return kl_divergence_of(m, 2); }},
          {"9_classes", [](Arrays& m) { return kl_divergence_of(m, 9); }}};
}

std::vector<KernelCase<AugMix>> augmix() {
  return {{"28x28x1", [](Arrays& m) { return augmix_of(m, 1, kSide); }},
          {"64x64x3", [](Arrays& m) { return augmix_of(m, 3, 64); }}};
}

std::vector<KernelCase<Augment>> augment() {
  return {{"equalize", [](Arrays& m) { return augment_of(m, ImageOp::equalize); }},
          {"rotate", [](Arrays& m) { return augment_of(m, ImageOp::rotate); }}};
}

std::vector<KernelCase<KeepBest>> keep_best() {
  // Every candidate is better than what is kept: the scores kept are forgotten before each launch.
  return {{"all_kept", [](Arrays& m) {
             KeepBest a;
             a.x = m.floats(0);
             a.best_x = m.floats(1);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.score = m.floats(2);
             a.best_score = m.floats(3);
             return KernelWork<KeepBest>{a, 2 * kFloat * static_cast<double>(a.rows * a.cols), 0,
                                         Fill{a.best_score, a.rows, -std::numeric_limits<float>::infinity()}};
           }}};
}

std::vector<KernelCase<SoftmaxCe>> softmax_ce() {
  return {{"2_classes", [](Arrays& m) { return softmax_ce_of(m, 2); }},
          {"9_classes", [](Arrays& m) { return softmax_ce_of(m, 9); }}};
}

std::vector<KernelCase<BinaryCe>> binary_ce() {
  return {{"14_labels", [](Arrays& m) {
             auto a = loss_of<BinaryCe>(m);
             a.labels = 14;
             a.rows = rows_of(m, a.labels);
             return KernelWork<BinaryCe>{a, kFloat * static_cast<double>(a.rows * (4 * a.labels + 1))};
           }}};
}

std::vector<KernelCase<LabelLogits>> label_logits() {
  return {{"14_labels", [](Arrays& m) {
             LabelLogits a;
             a.labels = 14;
             a.logits = m.floats(0);
             a.pairs = m.floats(1);
             a.rows = rows_of(m, a.labels);
             return KernelWork<LabelLogits>{a, 3 * kFloat * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<LabelGradient>> label_gradient() {
  return {{"14_labels", [](Arrays& m) {
             LabelGradient a;
             a.labels = 14;
             a.dpairs = m.floats(0);
             a.dlogits = m.floats(1);
             a.rows = rows_of(m, a.labels);
             return KernelWork<LabelGradient>{a, kFloat * static_cast<double>(a.rows * (a.labels + 1))};
           }}};
}

std::vector<KernelCase<ChooseTarget>> choose_target() {
  return {{"given", [](Arrays& m) { return target_by(m, TargetRule::given); }},
          {"least_likely", [](Arrays& m) { return target_by(m, TargetRule::least_likely); }},
          {"random", [](Arrays& m) { return target_by(m, TargetRule::random); }}};
}

std::vector<KernelCase<Judge>> judge() {
  return {{"", [](Arrays& m) {
             Judge a;
             a.loss = m.floats(0);
             a.predicted = m.zeros<std::int32_t>(1);
             a.label = m.zeros<std::int32_t>(2);
             a.score = m.floats(3);
             a.hit = m.zeros<std::int32_t>(4);
             a.rows = m.size();
             return KernelWork<Judge>{a, 5 * kFloat * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<BinConfidence>> bin_confidence() {
  return {{"2_classes", [](Arrays& m) { return bin_confidence_of(m, 2); }},
          {"9_classes", [](Arrays& m) { return bin_confidence_of(m, 9); }}};
}

std::vector<KernelCase<Tally>> tally() {
  return {{"", [](Arrays& m) {
             Tally a;
             a.loss = m.floats(0);
             a.predicted = m.zeros<std::int32_t>(1);
             a.label = m.zeros<std::int32_t>(2);
             a.tally = m.one(0, TrainingTally{});
             a.rows = m.size();
             return KernelWork<Tally>{a, 3 * kFloat * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<MaskPadding>> mask_padding() {
  return {{"", [](Arrays& m) {
             MaskPadding a;
             a.label = m.zeros<std::int32_t>(0);
             a.index = m.zeros<std::int32_t>(1);
             a.masked = m.zeros<std::int32_t>(2);
             a.rows = m.size();
             return KernelWork<MaskPadding>{a, 3 * kFloat * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<MeasurePerturbation>> measure_perturbation() {
  return {{"", [](Arrays& m) {
             MeasurePerturbation a;
             a.x = m.floats(0, 0.51f);
             a.clean = m.floats(1, 0.5f);
             a.norm = m.zeros<PerturbationNorm>(2);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             return KernelWork<MeasurePerturbation>{a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<KeepToRegion>> keep_to_region() {
  return {{"clean_outside", [](Arrays& m) {
             KeepToRegion a;
             a.x = m.floats(0, 0.51f);
             a.outside = m.floats(1, 0.5f);
             a.y = m.floats(2);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.sample = m.zeros<std::int32_t>(3);
             a.region = {m.zeros<std::uint8_t>(4), kPixels, 0};
             return KernelWork<KeepToRegion>{a, 3 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<GatherEpsScale>> gather_eps_scale() {
  return {{"", [](Arrays& m) {
             GatherEpsScale a;
             a.factor = m.floats(0, 1.0f);
             a.to = m.floats(1);
             a.rows = m.size();
             a.sample = numbered_samples(m, a.rows);
             return KernelWork<GatherEpsScale>{a, 3 * kFloat * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<RepeatOverChannels>> repeat_over_channels() {
  return {{"3_channels", [](Arrays& m) {
             constexpr std::int64_t kChannels = 3;
             const std::int64_t rows = rows_of(m, kChannels * kPixels);
             const RepeatOverChannels a{m.floats(0), m.floats(1), rows, kChannels, kPixels};
             return KernelWork<RepeatOverChannels>{
                 a, (kChannels + 1) * kFloat * static_cast<double>(rows * kPixels)};
           }}};
}

std::vector<KernelCase<SumOverChannels>> sum_over_channels() {
  return {{"3_channels", [](Arrays& m) {
             constexpr std::int64_t kChannels = 3;
             const std::int64_t rows = rows_of(m, kChannels * kPixels);
             const SumOverChannels a{m.floats(0, 1e-3f), m.floats(1), rows, kChannels, kPixels};
             return KernelWork<SumOverChannels>{
                 a, (kChannels + 1) * kFloat * static_cast<double>(rows * kPixels)};
           }}};
}

std::vector<KernelCase<MatchSsim>> match_ssim() {
  return {{"28x28", [](Arrays& m) {
             MatchSsim a;
             a.x = m.floats(0);
             a.clean = m.floats(1, 0.5f);
             a.direction = m.floats(2, 0.1f);
             a.rows = rows_of(m, kPixels) / (2 * kSsimScratch);
             a.sample = m.zeros<std::int32_t>(3);
             a.scratch = m.zeros<double>(4);
             a.channels = 1;
             a.height = a.width = kSide;
             a.target = 0.9f;
             return KernelWork<MatchSsim>{a, 3 * kFloat * static_cast<double>(a.rows * kPixels)};
           }}};
}

std::vector<KernelCase<Requantise>> requantise() {
  return {{"l2", [](Arrays& m) {
             Requantise a;
             a.x = m.floats(0, 0.51f);
             a.clean = m.floats(1, 0.5f);
             a.y = m.floats(2);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.eps = 0.28f;  // bisected
             a.norm = Distance::l2;
             return KernelWork<Requantise>{a, 3 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<KeepNearest>> keep_nearest() {
  return {{"l2", [](Arrays& m) {
             KeepNearest a;
             a.x = m.floats(0, 0.51f);
             a.clean = m.floats(1, 0.5f);
             a.nearest = m.floats(2, 0.5f);
             a.distance = m.floats(3, 0.0f);  // measured, never replaced: a second run would be another
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.hit = m.integers(4, std::vector<std::int32_t>(static_cast<std::size_t>(a.rows), 1));
             return KernelWork<KeepNearest>{a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<ReleaseBeyond>> release_beyond() {
  return {{"all_beyond", [](Arrays& m) {
             ReleaseBeyond a;
             a.x = m.floats(0, 0.51f);
             a.clean = m.floats(1, 0.5f);
             a.distance = m.floats(2, 1.0f);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             return KernelWork<ReleaseBeyond>{a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<RankClasses>> rank_classes() {
  return {{"9_classes", [](Arrays& m) {
             constexpr std::int64_t kClasses = 9;
             RankClasses a;
             a.logits = m.floats(0);
             a.rank = m.zeros<std::int32_t>(1);
             a.rows = rows_of(m, kClasses);
             a.classes = a.count = kClasses;
             return KernelWork<RankClasses>{a, 2 * kFloat * static_cast<double>(a.rows * kClasses)};
           }}};
}

std::vector<KernelCase<PickLogits>> pick_logits() {
  return {{"9_classes", [](Arrays& m) {
             constexpr std::int64_t kClasses = 9;
             PickLogits a;
             a.index = m.zeros<std::int32_t>(0);
             a.dlogits = m.floats(1);
             a.rows = rows_of(m, kClasses);
             a.classes = kClasses;
             return KernelWork<PickLogits>{a, kFloat * static_cast<double>(a.rows * (kClasses + 1))};
           }}};
}

std::vector<KernelCase<DeepFoolConsider>> deepfool_consider() {
  const auto of = [](Arrays& m, Distance norm) {
    DeepFoolConsider a;
    a.gradient = m.floats(0, 1e-3f);
    a.step = m.floats(1);
    a.logits = m.floats(2);
    a.rank = m.zeros<std::int32_t>(3);
    a.distance = m.floats(4);
    a.rows = rows_of(m, kPixels);
    a.cols = kPixels;
    a.classes = a.columns = 2;
    a.norm = norm;
    return KernelWork<DeepFoolConsider>{a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
  };
  return {{"l2", [=](Arrays& m) { return of(m, Distance::l2); }},
          {"linf", [=](Arrays& m) { return of(m, Distance::linf); }}};
}

std::vector<KernelCase<DeepFoolMove>> deepfool_move() {
  return {{"", [](Arrays& m) {
             DeepFoolMove a;
             a.x = m.floats(0);
             a.total = m.floats(1, 0.0f);
             a.step = m.floats(2, 1e-3f);
             a.clean = m.floats(3);
             a.distance = a.logits = m.floats(4);
             a.rank = a.label = a.sample = m.zeros<std::int32_t>(5);
             a.done = m.zeros<std::int32_t>(6);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.classes = a.columns = 2;
             a.overshoot = 0.02f;
             return KernelWork<DeepFoolMove>{a, 5 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<CwStart>> cw_start() {
  return {{"", [](Arrays& m) {
             CwStart a{m.zeros<CwSearch>(0), searches_of(m), 1e-3};
             return KernelWork<CwStart>{a, sizeof(CwSearch) * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<CwBegin>> cw_begin() {
  return {{"", [](Arrays& m) {
             CwBegin a;
             a.w = m.floats(0);
             a.moment1 = m.floats(1);
             a.moment2 = m.floats(2);
             a.x = m.floats(3);
             a.clean = m.floats(4, 0.25f);
             a.search = m.zeros<CwSearch>(5);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             return KernelWork<CwBegin>{a, 5 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<CwJudge>> cw_judge() {
  return {{"", [](Arrays& m) {
             CwJudge a;
             a.loss = m.floats(0);
             a.predicted = m.zeros<std::int32_t>(1);
             a.label = m.zeros<std::int32_t>(2);
             a.search = m.zeros<CwSearch>(3);
             a.hit = m.zeros<std::int32_t>(4);
             a.rows = searches_of(m);
             return KernelWork<CwJudge>{a, 4 * kFloat * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<CwStep>> cw_step() {
  return {{"", [](Arrays& m) {
             CwStep a;
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.search = m.zeros<CwSearch>(5);
             a.w = m.floats(0, -0.5f);
             a.moment1 = m.floats(1, 0.0f);
             a.moment2 = m.floats(2, 0.0f);
             a.x = m.floats(3, 0.25f);
             // There are no arrays left: what is only read is one.
             a.clean = a.gradient = a.loss = m.floats(4, 0.25f);
             a.rate = 0.01f;
             return KernelWork<CwStep>{a, 9 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<CwNext>> cw_next() {
  return {{"", [](Arrays& m) {
             CwNext a{m.zeros<CwSearch>(0), searches_of(m)};
             return KernelWork<CwNext>{a, 2 * sizeof(CwSearch) * static_cast<double>(a.rows)};
           }}};
}

std::vector<KernelCase<SaliencyStep>> saliency_step() {
  const auto of = [](Arrays& m, std::int32_t pairs) {
    SaliencyStep a;
    a.rows = rows_of(m, kPixels);
    a.cols = kPixels;
    a.x = m.floats(0);
    a.clean = m.floats(1);
    a.toward = noise_around_zero(m, 2, 1);
    a.others = noise_around_zero(m, 3, 2);
    a.logits = m.floats(4);
    a.target = m.integers(5, std::vector<std::int32_t>(static_cast<std::size_t>(a.rows), 1));
    a.sample = a.done = m.zeros<std::int32_t>(6);
    a.classes = 2;
    a.pairs = pairs;
    a.most = 0;  // chosen, never changed: a second run would be another
    return KernelWork<SaliencyStep>{a, 4 * kFloat * static_cast<double>(a.rows * a.cols)};
  };
  return {{"pairs", [=](Arrays& m) { return of(m, 1); }}, {"single", [=](Arrays& m) { return of(m, 0); }}};
}

std::vector<KernelCase<SquareAttack>> square_start_linf() {
  return {{"", square_of}};
}

std::vector<KernelCase<SquareAttack>> square_start_l2() {
  return {{"", square_of}};
}

std::vector<KernelCase<SquareAttack>> square_step_linf() {
  return {{"", square_of}};
}

std::vector<KernelCase<SquareAttack>> square_step_l2() {
  return {{"", square_of}};
}

std::vector<KernelCase<FabStart>> fab_start() {
  return {{"linf", [](Arrays& m) {
             FabStart a;
             a.x = m.floats(0);
             a.clean = m.floats(1);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.sample = numbered_samples(m, a.rows);
             a.state = m.one(0, StepState{.restart = 1});
             a.radius = 4.0f / 255;
             return KernelWork<FabStart>{a, 2 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<KeepBoundary>> keep_boundary() {
  return {{"all_kept", [](Arrays& m) {
             KeepBoundary a;
             a.gradient = m.floats(0, 1e-3f);
             a.kept_gradient = m.floats(1);
             a.margin = m.floats(2);
             a.kept_margin = m.floats(3);
             a.distance = m.floats(4);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             return KernelWork<KeepBoundary>{
                 a, 2 * kFloat * static_cast<double>(a.rows * a.cols), 0,
                 Fill{a.distance, a.rows, std::numeric_limits<float>::infinity()}};
           }}};
}

std::vector<KernelCase<FabStep>> fab_step() {
  return {{"linf", [](Arrays& m) { return fab_step_of(m, Distance::linf); }},
          {"l2", [](Arrays& m) { return fab_step_of(m, Distance::l2); }},
          {"l1", [](Arrays& m) { return fab_step_of(m, Distance::l1); }}};
}

std::vector<KernelCase<FabRetreat>> fab_retreat() {
  return {{"all_hit", [](Arrays& m) {
             FabRetreat a;
             a.x = m.floats(0, 0.51f);
             a.clean = m.floats(1, 0.5f);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             a.hit = m.integers(2, std::vector<std::int32_t>(static_cast<std::size_t>(a.rows), 1));
             a.beta = 0.9f;
             return KernelWork<FabRetreat>{a, 3 * kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

std::vector<KernelCase<ProjectBall>> project_l1() {
  return {{"", [](Arrays& m) { return project_of(m, 12); }}};
}

std::vector<KernelCase<ProjectBall>> project_l2() {
  return {{"", [](Arrays& m) { return project_of(m, 1); }}};
}

std::vector<KernelCase<CountZeroGradients>> count_zero_gradients() {
  // Of the others the first pixels alone are read.
  return {{"all_zero", [](Arrays& m) {
             CountZeroGradients a;
             a.gradient = m.floats(0, 0.0f);
             a.sample = m.zeros<std::int32_t>(1);
             a.zeros = m.zeros<std::uint64_t>(2);
             a.total = m.zeros<std::uint64_t>(3);
             a.rows = rows_of(m, kPixels);
             a.cols = kPixels;
             return KernelWork<CountZeroGradients>{a, kFloat * static_cast<double>(a.rows * a.cols)};
           }}};
}

}  // namespace inocula::bench::cases
