// `inocula selftest`: a network, an attack and a training step on this machine against double precision.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "attacks/evaluate.h"
#include "attacks/pgd.h"
#include "attacks/registry.h"
#include "engine/error.h"
#include "engine/loss.h"
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

namespace inocula {

namespace {

struct SelftestOptions {
  CommonOptions common;
  bool json = false;
};

/// One comparison: what was measured, and what it may be at most.
struct Check {
  std::string name;
  double measured = 0, allowed = 0;
  bool passed() const { return measured <= allowed; }  // a NaN fails
};

constexpr std::int64_t kImages = 16;
constexpr double kLogitTolerance = 1e-4;     // fp32 sums of about 5000 terms
constexpr double kGradientTolerance = 1e-3;  // of the median image: a ReLU at its kink may turn single ones
constexpr double kStepTolerance = 1e-4;      // of the median parameter
// Of single ones: a bias that began at 0 is its gradient, and one ReLU at its kink can be a hundredth of
// that.
constexpr double kWorstStepTolerance = 0.1;
constexpr double kFastSlack = 100;

/// A gradient near 0 may point either way; the step that follows it then moves a pixel otherwise.
constexpr double kMovedOtherwise = 1e-3, kShareMovedOtherwise = 1e-2;

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

template <class A>
double median_relative_error(std::span<const A> a, std::span<const double> b, std::size_t rows) {
  std::vector<double> errors;
  const std::size_t cols = b.size() / rows;
  for (std::size_t r = 0; r < rows; ++r)
    errors.push_back(relative_error(a.subspan(r * cols, cols), b.subspan(r * cols, cols)));
  std::sort(errors.begin(), errors.end());
  return errors[errors.size() / 2];
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

void check_network(Network& network, const ImageSplit& images, std::vector<Check>& checks) {
  const auto& [logits, gradient] = run_image_pass(network, images);
  const ExactImagePass truth = run_image_pass_in_double(network, images);
  checks.push_back(
      {"network: logits, relative error", relative_error<float>(logits, truth.logits), kLogitTolerance});
  checks.push_back({"network: gradient of the images, relative error in the median",
                    median_relative_error<float>(gradient, truth.gradient, kImages), kGradientTolerance});
  checks.push_back({"attack: share of pixels that one sign step moves otherwise",
                    share_of_turned_signs(gradient, truth.gradient), 1e-3});
}

void check_attack(Network& network, const ImageSplit& images, std::vector<Check>& checks) {
  attacks::PgdSpec spec;
  spec.eps = 4.0 / 255;
  spec.alpha = 1.0 / 255;
  spec.steps = 5;
  const attacks::Pgd pgd(spec);
  attacks::Evaluator evaluator(network, images, pgd,
                               {.batch = kImages, .keep_images = attacks::KeepImages::yes});
  attacks::Evaluator smaller(network, images, pgd, {.batch = 5, .keep_images = attacks::KeepImages::yes});
  const attacks::Evaluation a = evaluator.run(), b = smaller.run();
  double outside = 0, differ = 0;
  for (const PerturbationNorm& n : a.norms)
    outside +=
        n.linf > static_cast<double>(static_cast<float>(spec.eps)) || n.lowest < 0 || n.highest > 1 ? 1 : 0;
  for (std::size_t i = 0; i < a.images.size(); ++i) differ += a.images[i] != b.images[i] ? 1 : 0;
  checks.push_back({"attack: images outside the ball or the pixel range", outside, 0});
  // A GPU's library chooses by the batch's shape, and another choice may add in another order.
  checks.push_back({"attack: share of pixels that depend on the batch size",
                    differ / static_cast<double>(a.images.size()),
                    network.device().name() == "cpu" ? 0 : kShareMovedOtherwise});
}

void check_training(Network& network, const ImageSplit& images, std::vector<Check>& checks) {
  Reference reference(network);
  const Erm erm;
  TrainerSpec spec;
  spec.batch = kImages;
  spec.optimizer = {.kind = OptimizerKind::sgd, .momentum = 0};
  spec.schedule.peak = 0.1;
  Trainer trainer(network, erm, images, spec);
  trainer.run_step();
  // The order of images in the batch does not matter to the mean.
  const ReferenceTrace trace = reference.forward(pixels_in_double(images), NormMode::batch);
  reference.sgd_step(
      reference.backward(trace, reference_softmax_ce(trace.logits(), images.labels, Reduction::mean).dlogits),
      0.1);
  std::vector<double> errors;
  const ParameterStore& store = network.parameters();
  for (const ParameterEntry& e : store.weights.entries()) {
    std::vector<float> values(static_cast<std::size_t>(e.count));
    store.values.download(values.data(), values.size(), static_cast<std::size_t>(e.offset));
    errors.push_back(relative_error<float>(values, reference.weights().at(e.name)));
  }
  std::sort(errors.begin(), errors.end());
  checks.push_back({"training: parameters after one step, relative error in the median",
                    errors[errors.size() / 2], kStepTolerance});
  checks.push_back(
      {"training: the parameter that is furthest off, relative error", errors.back(), kWorstStepTolerance});
}

/// The same attacks and the same training step on the CPU: what a user would see differ.
void check_against_cpu(Network& network, const ImageSplit& images, std::uint64_t seed,
                       std::vector<Check>& checks) {
  const Device cpu = Device::open("cpu", {.precise = true});
  Network same(network.graph(), cpu);
  same.initialize(seed);
  network.initialize(seed);
  for (const char* text :
       {"fgsm:eps=4/255", "pgd:eps=4/255,steps=5", "pgd:norm=l2,eps=0.5,alpha=0.1,steps=5"}) {
    const std::vector<attacks::Stage> stages =
        attacks::parse_attacks(text).front().stages(network.graph().classes());
    const attacks::EvaluatorSpec spec{
        .batch = kImages, .seed = seed, .keep_images = attacks::KeepImages::yes};
    const attacks::Evaluation a = attacks::evaluate_stages(network, images, stages, spec).evaluation,
                              b = attacks::evaluate_stages(same, images, stages, spec).evaluation;
    double moved_otherwise = 0;
    for (std::size_t i = 0; i < a.images.size(); ++i)
      moved_otherwise += std::abs(a.images[i] - b.images[i]) > kMovedOtherwise ? 1 : 0;
    checks.push_back({std::string("against the CPU: share of pixels that ") + text + " moves otherwise",
                      moved_otherwise / static_cast<double>(a.images.size()), kShareMovedOtherwise});
    const std::vector<double> logits(b.clean_logits.begin(), b.clean_logits.end());
    checks.push_back({std::string("against the CPU: clean logits before ") + text + ", relative error",
                      relative_error<float>(a.clean_logits, logits), kLogitTolerance});
  }

  const Erm erm;
  const TrainerSpec spec{.batch = kImages,
                         .optimizer = {},
                         .schedule = {.peak = 0.1, .milestones = {}},
                         .augmentation = {},
                         .seed = seed};
  Trainer here(network, erm, images, spec), there(same, erm, images, spec);
  here.run_step();
  there.run_step();
  const std::vector<TrainerState::Array> ours = here.save().arrays, theirs = there.save().arrays;
  for (std::size_t i = 0; i < ours.size(); ++i)
    checks.push_back({"against the CPU: " + ours[i].name + " after a training step, relative error",
                      relative_error<float>(ours[i].values, std::vector<double>(theirs[i].values.begin(),
                                                                                theirs[i].values.end())),
                      kStepTolerance});
  checks.push_back(
      {"against the CPU: images that only one of the two gets right",
       std::abs(static_cast<double>(here.tally().correct) - static_cast<double>(there.tally().correct)), 0});
}

void run_selftest(const SelftestOptions& o) {
  const Device device = o.common.open_device();
  const ImageSplit images = first_images(synthesize({.count = 100, .seed = o.common.seed}).train, kImages);
  Network network(
      models::build("resnet18:width=8", {images.channels, images.height, images.width, {}, {}}, 2), device);
  network.initialize(o.common.seed);

  std::vector<Check> checks{check_philox()};
  check_network(network, images, checks);
  check_attack(network, images, checks);
  check_training(network, images, checks);
  if (device.name() != "cpu") check_against_cpu(network, images, o.common.seed, checks);

  // TF32 keeps eleven bits of fp32's twenty-four.
  if (o.common.determinism == "fast" && device.name() != "cpu")
    for (Check& c : checks) c.allowed *= kFastSlack;

  std::int64_t failed = 0;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Check& c : checks) {
    failed += c.passed() ? 0 : 1;
    list.push_back(
        {{"check", c.name}, {"measured", c.measured}, {"allowed", c.allowed}, {"passed", c.passed()}});
    if (!o.json && !o.common.quiet)
      std::printf("%s  %-66s %10.3g (at most %.3g)\n", c.passed() ? "pass" : "FAIL", c.name.c_str(),
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
      "selftest", "Compare a device's results with double precision, and a GPU's with the CPU's");
  app->add_flag("--json", o->json, "Print JSON");
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_selftest(*o); }});
}

}  // namespace inocula
