// `inocula selftest`: a network, each attack and training steps on a device, against double precision and
// against the CPU's direct convolutions.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "attacks/pgd.h"
#include "attacks/registry.h"
#include "attacks/scores/metrics.h"
#include "attacks/stages.h"
#include "engine/error.h"
#include "engine/loss.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/erm.h"
#include "engine/recording.h"
#include "engine/reference.h"
#include "engine/trainer.h"
#include "engine/victim.h"
#include "io/synthetic.h"
#include "kernels/philox.h"
#include "models/registry.h"
#include "tools/command.h"
#include "tools/image_pass.h"
#include "tools/method.h"

namespace inocula {

namespace {

struct SelftestOptions {
  CommonOptions common;
  std::string precision = "fp32";
  bool json = false;
};

/// One comparison: what was measured, and what it may be at most.
struct Check {
  std::string name;
  double measured = 0, allowed = 0;
  bool passed() const { return measured <= allowed; }  // a NaN fails
};

constexpr double kLearningRate = 0.1;
constexpr std::int64_t kImages = 16, kClasses = 10, kOtherBatch = 5, kTrainingSteps = 60;

/// What may be off, relative to the largest number of its kind where nothing else is said.
struct Allowed {
  double logits;
  double gradient;       ///< of the median image: a ReLU at its kink may turn single ones
  double turn;           ///< 1 less the cosine between the median image's gradients
  double turned_signs;   ///< share of pixels
  double step;           ///< of the median parameter after a training step
  double attacked_turn;  ///< as turn, of a step on attacked images: a gradient near 0 may point either way
  /// Share of the median image's pixels that an attack puts elsewhere; none where roundings set every attack
  /// on a way of its own.
  std::optional<double> moved_otherwise;
  double margin;    ///< of the median image, after an attack, in units of the largest before it
  double distance;  ///< of the nearest image that an attack finds, relative, of the median image
};
constexpr Allowed kFp32{.logits = 1e-4,  // sums of about 5000 terms
                        .gradient = 1e-3,
                        .turn = 1e-4,
                        .turned_signs = 1e-3,
                        .step = 5e-3,
                        .attacked_turn = 1e-2,
                        .moved_otherwise = 1e-2,
                        .margin = 1e-3,
                        .distance = 1e-2};
/// Eight significant bits: a hundredth after twenty layers. A value closer to 0 than that takes the other
/// slope of its ReLU, which turns gradients: one in 250 at each of 17 layers.
constexpr Allowed kBf16{.logits = 2e-2,
                        .gradient = 1,
                        .turn = 0.08,
                        .turned_signs = 0.2,
                        .step = 5e-2,
                        .attacked_turn = 0.2,
                        .moved_otherwise = {},
                        .margin = 0.1,
                        .distance = 0.1};
/// TF32 keeps eleven bits of fp32's twenty-four.
constexpr double kTf32Slack = 100;

/// A pixel that two runs of an attack put further apart than this share of the image's largest change was
/// moved otherwise.
constexpr double kMovedOtherwise = 0.05;
/// For attacks that choose pixels by rank: one exchanged for another of almost the same gradient sends an
/// image another way.
constexpr double kRankingSlack = 20;
/// Those that look for the nearest image leave one as it is where they find none.
constexpr double kMostUnmoved = 0.5;

double largest(std::span<const double> v) {
  double m = 0;
  for (const double x : v) m = std::max(m, std::abs(x));
  return m;
}

/// max |a - b| over max |b|; infinite where a number is not finite, which a maximum would pass over.
template <class A>
double relative_error(std::span<const A> a, std::span<const double> b) {
  double worst = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (!std::isfinite(a[i])) return INFINITY;
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return worst / std::max(largest(b), 1e-30);
}

/// A NaN counts as the largest.
double median(std::vector<double> v) {
  std::sort(v.begin(), v.end(),
            [](double a, double b) { return a < b || (std::isnan(b) && !std::isnan(a)); });
  return v[v.size() / 2];
}

/// The median over the images of what `f` says of an image's part of a and b.
template <class F>
double median_of_rows(std::span<const float> a, std::span<const double> b, F f) {
  std::vector<double> of_row;
  const std::size_t cols = b.size() / kImages;
  for (std::size_t row = 0; row < kImages; ++row)
    of_row.push_back(f(a.subspan(row * cols, cols), b.subspan(row * cols, cols)));
  return median(std::move(of_row));
}

Check check_philox() {
  const Philox4 words =
      philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0);
  const std::uint32_t expected[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  return {"random numbers: words that differ from the published vector",
          static_cast<double>(std::count_if(
              expected, expected + 4, [&, i = 0](std::uint32_t e) mutable { return words.w[i++] != e; })),
          0};
}

/// 1 less the cosine of the angle between the two.
double turn_between(std::span<const float> a, std::span<const double> b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += b[i] * b[i];
  }
  return 1 - ab / std::sqrt(aa * bb);
}

void check_network(Network& network, const ImageSplit& images, const Allowed& allowed,
                   std::vector<Check>& checks) {
  const auto& [logits, gradient] = run_image_pass(network, images);
  const ExactImagePass truth = run_image_pass_in_double(network, images);
  const std::span<const float> found(gradient);
  const std::span<const double> exact(truth.gradient);
  checks.push_back(
      {"network: logits, relative error", relative_error<float>(logits, truth.logits), allowed.logits});
  checks.push_back({"network: gradient of the images, relative error in the median",
                    median_of_rows(found, exact, relative_error<float>), allowed.gradient});
  checks.push_back({"network: gradient of the images, 1 - cosine in the median",
                    median_of_rows(found, exact, turn_between), allowed.turn});
  checks.push_back({"network: share of pixels that one sign step moves otherwise",
                    share_of_turned_signs(gradient, truth.gradient), allowed.turned_signs});
}

/// The images with the classes that the network sees in them: every attack then has something to break.
ImageSplit labelled_by(Network& network, ImageSplit images) {
  images.labels = attacks::argmax_rows(run_image_pass(network, images).logits, kClasses);
  return images;
}

/// The share of the median image's pixels that two runs of an attack move otherwise.
double moved_otherwise(const attacks::Evaluation& a, const attacks::Evaluation& b) {
  std::vector<double> shares;
  const std::size_t pixels = a.images.size() / kImages;
  for (std::size_t row = 0; row < kImages; ++row) {
    const double most = kMovedOtherwise * b.norms[row].linf;
    double differ = 0;
    for (std::size_t i = row * pixels; i < (row + 1) * pixels; ++i)
      differ += std::abs(a.images[i] - b.images[i]) <= most ? 0 : 1;  // a NaN differs
    shares.push_back(differ / static_cast<double>(pixels));
  }
  return median(std::move(shares));
}

/// Of each image the label's logit less the largest other one.
std::vector<double> margins(const std::vector<float>& logits, const std::vector<std::int32_t>& labels) {
  std::vector<double> all;
  for (std::size_t row = 0; row < kImages; ++row) {
    const std::span<const float> z(logits.data() + row * kClasses, kClasses);
    const auto label = static_cast<std::size_t>(labels[row]);
    double other = -INFINITY;
    for (std::size_t k = 0; k < z.size(); ++k)
      if (k != label) other = std::max(other, static_cast<double>(z[k]));
    all.push_back(static_cast<double>(z[label]) - other);
  }
  return all;
}

/// How far apart two runs of an attack push the median image, in units of the largest margin before it.
double margin_apart(const attacks::Evaluation& a, const attacks::Evaluation& b) {
  const std::vector<double> here = margins(a.logits, a.label), there = margins(b.logits, b.label);
  std::vector<double> apart;
  for (std::size_t i = 0; i < here.size(); ++i) apart.push_back(std::abs(here[i] - there[i]));
  return median(std::move(apart)) / largest(margins(b.clean_logits, b.label));
}

attacks::Norms norms_of(const PerturbationNorm& n) {
  return {n.linf, n.l2, n.l1, n.l0};
}

/// How far apart the median image's distances from its clean one are, relative to that of b.
double distance_apart(const attacks::Evaluation& a, const attacks::Evaluation& b, attacks::Norm norm) {
  std::vector<double> apart;
  for (std::size_t i = 0; i < a.norms.size(); ++i) {
    const double here = norms_of(a.norms[i]).of(norm), there = norms_of(b.norms[i]).of(norm);
    apart.push_back(std::abs(here - there) / std::max(there, 1e-30));
  }
  return median(std::move(apart));
}

bool lies_outside(const attacks::NamedAttack& attack, const PerturbationNorm& norm) {
  const double radius = attack.norm == attacks::Norm::linf
                            ? static_cast<double>(static_cast<float>(attack.eps))
                            : attack.eps * (1 + 1e-6);
  return !(norms_of(norm).of(attack.norm) <= radius) || !(norm.lowest >= 0) || !(norm.highest <= 1);
}

bool ranks_pixels(const attacks::NamedAttack& attack) {
  return attack.norm == attacks::Norm::l1 || attack.norm == attacks::Norm::l0;
}

/// Every attack on the device, in batches of two sizes, and with the CPU's direct convolutions.
void check_attacks(Network& network, Network& direct, const ImageSplit& images, std::uint64_t seed,
                   const Allowed& allowed, std::vector<Check>& checks) {
  const bool cpu = network.device().name() == "cpu";
  double outside = 0, most_unmoved = 0, batch_dependent = 0;
  for (const std::string& text : attacks::sample_attacks()) {
    const attacks::NamedAttack attack = attacks::parse_attacks(text).front();
    const std::vector<attacks::Stage> stages = attack.stages(kClasses);
    const auto run = [&](Network& on, std::int64_t batch) {
      return attacks::evaluate_stages(on, images, stages,
                                      {.batch = batch, .seed = seed, .keep_images = attacks::KeepImages::yes})
          .evaluation;
    };
    const attacks::Evaluation here = run(network, kImages), smaller = run(network, kOtherBatch),
                              there = run(direct, kImages);
    double unmoved = 0;
    for (const PerturbationNorm& n : here.norms) {
      outside += lies_outside(attack, n) ? 1 : 0;
      unmoved += n.linf == 0 ? 1 : 0;
    }
    most_unmoved = std::max(most_unmoved, unmoved / kImages);

    if (cpu) batch_dependent += here.images == smaller.images ? 0 : 1;
    if (ranks_pixels(attack) && !allowed.moved_otherwise) continue;
    const double slack = ranks_pixels(attack) ? kRankingSlack : 1;
    checks.push_back(
        {"margin after " + text + ", difference", margin_apart(here, there), slack * allowed.margin});
    if (std::isinf(attack.eps))
      checks.push_back({"distance found by " + text + ", relative difference",
                        distance_apart(here, there, attack.norm), slack * allowed.distance});
    else if (allowed.moved_otherwise)
      checks.push_back({"share of pixels moved otherwise by " + text, moved_otherwise(here, there),
                        *allowed.moved_otherwise});
    // A GPU's library chooses by the batch's shape, and another choice may add in another order.
    if (!cpu) batch_dependent = std::max(batch_dependent, margin_apart(here, smaller) / slack);
  }
  checks.push_back({"attacks: images outside the ball or the pixel range", outside, 0});
  checks.push_back(
      {"attacks: share of images that one of them leaves as they are", most_unmoved, kMostUnmoved});
  checks.push_back({cpu ? "attacks: how many of them depend on the batch size"
                        : "attacks: margins that depend on the batch size, difference",
                    batch_dependent, cpu ? 0 : allowed.margin});
}

std::vector<float> numbers_in(const Buffer& buffer) {
  std::vector<float> all(buffer.bytes() / sizeof(float));
  buffer.download(all.data(), all.size());
  return all;
}

/// Parameters lie alike on every device.
void copy_parameters(const Network& from, Network& to) {
  const ParameterStore& source = from.parameters();
  ParameterStore& target = to.parameters();
  for (const auto& [read, written] :
       {std::pair{&source.values, &target.values}, std::pair{&source.running, &target.running}}) {
    const std::vector<float> all = numbers_in(*read);
    written->upload(all.data(), all.size());
  }
}

TrainerSpec training_of(std::int64_t steps, std::uint64_t seed) {
  TrainerSpec spec;
  spec.epochs = steps;
  spec.batch = kImages;
  spec.seed = seed;
  spec.optimizer = {.kind = OptimizerKind::sgd, .momentum = 0};
  spec.schedule.peak = kLearningRate;
  return spec;
}

/// What a step made of a network's parameters, beside what it should be; `before` is what they were.
struct StepError {
  double parameters;  ///< relative, of the median array
  double turn;        ///< 1 less the cosine between the changes of all together
};
StepError step_error(const Network& network, const std::vector<float>& before,
                     const std::vector<double>& exact) {
  const std::vector<float> after = numbers_in(network.parameters().values);
  std::vector<double> errors, exact_change;
  std::vector<float> change;
  for (const ParameterEntry& e : network.parameters().weights.entries()) {
    const auto first = static_cast<std::size_t>(e.offset), count = static_cast<std::size_t>(e.count);
    errors.push_back(
        relative_error(std::span(after).subspan(first, count), std::span(exact).subspan(first, count)));
    for (std::size_t i = first; i < first + count; ++i) {
      change.push_back(after[i] - before[i]);
      exact_change.push_back(exact[i] - static_cast<double>(before[i]));
    }
  }
  return {median(std::move(errors)), turn_between(change, exact_change)};
}

void check_training(Network& network, const ImageSplit& images, const Allowed& allowed,
                    std::vector<Check>& checks) {
  const std::vector<float> before = numbers_in(network.parameters().values);
  Reference reference(network);
  const Erm erm;
  Trainer trainer(network, erm, images, training_of(1, 0));
  trainer.run_step();
  // The order of images in the batch does not matter to the mean.
  const ReferenceTrace trace = reference.forward(pixels_in_double(images), NormMode::batch);
  reference.sgd_step(
      reference.backward(trace, reference_softmax_ce(trace.logits(), images.labels, Reduction::mean).dlogits),
      kLearningRate);
  std::vector<double> exact(before.size());
  for (const ParameterEntry& e : network.parameters().weights.entries()) {
    const std::vector<double>& values = reference.weights().at(e.name);
    std::copy(values.begin(), values.end(), exact.begin() + static_cast<std::ptrdiff_t>(e.offset));
  }
  const StepError error = step_error(network, before, exact);
  checks.push_back(
      {"a training step: parameters, relative error in the median", error.parameters, allowed.step});
  checks.push_back({"a training step: change of all parameters, 1 - cosine", error.turn, allowed.turn});
}

/// A step with all that a step may do, beside the CPU's.
void check_adversarial_training(Network& network, Network& direct, const ImageSplit& images,
                                std::uint64_t seed, const Allowed& allowed, std::vector<Check>& checks) {
  const std::vector<float> before = numbers_in(direct.parameters().values);
  const attacks::Pgd attack({.eps = 4.0 / 255, .alpha = 1.0 / 255, .steps = 3, .target = {}});
  const AdversarialTraining objective("pgd", attack, NormMode::frozen, 3);
  TrainerSpec spec = training_of(1, seed);
  spec.augmentation = {.flip = true, .shift = 2};
  Trainer here(network, objective, images, spec), there(direct, objective, images, spec);
  here.run_step();
  there.run_step();
  const std::vector<float> exact = numbers_in(direct.parameters().values);
  checks.push_back({"a step of adversarial training: change of all parameters, 1 - cosine",
                    step_error(network, before, {exact.begin(), exact.end()}).turn, allowed.attacked_turn});
  const double loss = there.tally().loss;
  checks.push_back({"a step of adversarial training: loss, relative error",
                    std::abs(here.tally().loss - loss) / loss, allowed.margin});
}

Allowed allowed_for(Precision precision, bool tf32) {
  if (precision == Precision::bf16) return kBf16;
  Allowed a = kFp32;
  if (tf32) {
    for (double* bound : {&a.logits, &a.gradient, &a.turn, &a.turned_signs, &a.step, &a.attacked_turn,
                          &a.margin, &a.distance})
      *bound *= kTf32Slack;
    a.moved_otherwise = {};
  }
  return a;
}

void run_selftest(const SelftestOptions& o) {
  const Precision precision = parse_precision(o.precision);
  const Device device = o.common.open_device(), cpu = Device::open("cpu", {.precise = true});
  const Allowed allowed = allowed_for(precision, o.common.admits_tf32() && device.name() != "cpu");
  const std::uint64_t seed = o.common.seed;
  const Graph graph = models::build("resnet18:width=8", {1, 28, 28, {}, {}}, kClasses);
  const ImageSplit labelled = first_images(synthesize({.count = 100, .seed = seed}).train, kImages);
  Network network(graph, device, precision), direct(graph, cpu);

  std::vector<Check> checks{check_philox()};
  network.initialize(seed);
  direct.initialize(seed);
  check_training(network, labelled, allowed, checks);
  copy_parameters(direct, network);
  check_adversarial_training(network, direct, labelled, seed, allowed, checks);

  // Attacks are judged on a network that has learnt something.
  const Erm erm;
  Trainer trainer(direct, erm, labelled, training_of(kTrainingSteps, seed));
  while (!trainer.done()) trainer.run_step();
  copy_parameters(direct, network);
  const ImageSplit images = labelled_by(direct, labelled);
  check_network(network, images, allowed, checks);
  check_attacks(network, direct, images, seed, allowed, checks);

  std::int64_t failed = 0;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Check& c : checks) {
    failed += c.passed() ? 0 : 1;
    list.push_back(
        {{"check", c.name}, {"measured", c.measured}, {"allowed", c.allowed}, {"passed", c.passed()}});
    if (!o.json && !o.common.quiet)
      std::printf("%s  %-76s %10.3g (at most %.3g)\n", c.passed() ? "pass" : "FAIL", c.name.c_str(),
                  c.measured, c.allowed);
  }
  if (o.json)
    std::printf("%s\n", nlohmann::ordered_json{{"device", device.name()}, {"checks", list}}.dump(1).c_str());
  if (failed > 0)
    fail(ErrorKind::internal, "selftest on ", device.name(), ": ", failed, " of ", checks.size(),
         " comparisons failed");
}

}  // namespace

void add_selftest_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<SelftestOptions>();
  CLI::App* app = program.add_subcommand(
      "selftest", "Compare a device's results with double precision and with direct convolutions");
  app->add_option("--precision", o->precision, "Of the network that is tested: fp32 or bf16")
      ->capture_default_str();
  app->add_flag("--json", o->json, "Print JSON");
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_selftest(*o); }});
}

}  // namespace inocula
