// Writes what the engine makes of given weights and images, for PyTorch to be compared with.
//
// parity_dump synth   kind=cells size=64 count=3000 out=data.npz
// parity_dump train   model=SPEC input=SPEC data=FILE method=standard|PGD-SPEC images=N epochs=N
//                     rate=X out=FILE
// parity_dump measure model=SPEC input=SPEC data=FILE weights=FILE attack=PGD-SPEC images=N batch=N
//                     rate=X momentum=X decay=X out=FOLDER
// parity_dump attack  model=SPEC input=SPEC data=FILE weights=FILE attack=PGD-SPEC images=N out=FILE
//
// An input SPEC is the model's normalisation, one number a channel: input:mean=0.4;0.5;0.6,std=0.2;0.3;0.4
//
// measure writes the weights as they were read to again.safetensors. Of the first images of the test split it
// writes to images.safetensors: "logits" (images, K), "gradient" of the summed cross-entropy and the images
// after one step of the attack, "one_step", both (images, C, H, W). Of two ERM steps on the first batch of
// the train split it writes the first one's parameter gradients and mean "loss" to gradients.safetensors, and
// the network after each to after_1.safetensors and after_2.safetensors.
//
// attack writes "clean" and "attacked" logits of the first images of the test split, both (images, K).
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "attacks/evaluate.h"
#include "attacks/parts/attack_loss.h"
#include "attacks/registry.h"
#include "engine/error.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/erm.h"
#include "engine/spec.h"
#include "engine/trainer.h"
#include "io/dataset.h"
#include "io/safetensors.h"
#include "io/synthetic.h"
#include "models/registry.h"
#include "tools/network_files.h"

namespace inocula {
namespace {

/// The command line's key=value words. Each that is asked for must be there, none may be left over.
class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 0; i < count; ++i) {
      const std::string word = words[i];
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) fail(ErrorKind::usage, "'", word, "': expected key=value");
      values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  std::string text(const std::string& key) {
    const auto found = values_.extract(key);
    if (found.empty()) fail(ErrorKind::usage, "argument ", key, "= is missing");
    return found.mapped();
  }
  double number(const std::string& key) { return parse_number(text(key), key); }
  std::int64_t integer(const std::string& key) { return static_cast<std::int64_t>(number(key)); }
  void finish() const {
    if (!values_.empty()) fail(ErrorKind::usage, "argument ", values_.begin()->first, "= is unknown");
  }

 private:
  std::map<std::string, std::string> values_;
};

ImageSplit first_images(ImageSplit split, std::int64_t count) {
  if (count < 1 || count > split.count)
    fail(ErrorKind::usage, count, " images asked for of the ", split.count, " of split '", split.name, "'");
  split.count = count;
  split.pixels.resize(static_cast<std::size_t>(count * split.image_bytes()));
  split.labels.resize(static_cast<std::size_t>(count));
  return split;
}

/// A network of the model and normalisation that the command line names, for the data's images and classes.
Network make_network(Arguments& arguments, const ImageData& data, const Device& device) {
  const Spec normalisation = Spec::parse(arguments.text("input"));
  const std::vector<double> mean = normalisation.numbers("mean", 0.5),
                            std = normalisation.numbers("std", 0.5);
  const models::InputSpec input{.channels = data.channels,
                                .height = data.height,
                                .width = data.width,
                                .mean = {mean.begin(), mean.end()},
                                .std = {std.begin(), std.end()}};
  return Network(models::build(arguments.text("model"), input, data.classes), device);
}

void synthesize_data(Arguments& arguments) {
  const SyntheticSpec spec{.kind = synthetic_kind(arguments.text("kind")),
                           .count = arguments.integer("count"),
                           .size = arguments.integer("size")};
  const std::string out = arguments.text("out");
  arguments.finish();
  save_image_data(out, synthesize(spec));
}

void train(Arguments& arguments, const Device& device) {
  const ImageData data = load_image_data(arguments.text("data"));
  Network network = make_network(arguments, data, device);
  const ImageSplit images = first_images(data.train, arguments.integer("images"));
  const TrainerSpec spec{
      .epochs = arguments.integer("epochs"),
      .batch = 64,
      .optimizer = {.momentum = 0.9f, .decay = 5e-4f},
      .schedule = {.kind = ScheduleKind::cosine, .peak = arguments.number("rate"), .milestones = {}},
      .augmentation = {}};
  const std::string method = arguments.text("method"), out = arguments.text("out");
  arguments.finish();

  const auto run = [&](const Objective& objective) {
    network.initialize(spec.seed);
    Trainer trainer(network, objective, images, spec);
    while (!trainer.done()) trainer.run_step();
    save_network(out, network);
  };
  if (method == "standard") return run(Erm{});
  const attacks::Pgd attack(attacks::parse_pgd(method));
  run(AdversarialTraining("pgd", attack, NormMode::frozen, attack.pgd().steps));
}

/// Answers the input gradient in the place of changed images, so that the evaluator hands it out.
class InputGradient final : public Perturbation {
 public:
  std::string spec() const override { return "input_gradient"; }
  Tensor record(Recorder& r, Victim& victim, const PerturbationPorts& ports) const override {
    return attacks::record_loss_gradient(r, victim, ports.images, {.label = ports.label}).gradient;
  }
};

/// Logits of the first `count` images of the test split before and after a perturbation, and the images after
/// it.
attacks::Evaluation evaluate(Network& network, const ImageData& data, const Perturbation& perturbation,
                             std::int64_t count) {
  const attacks::EvaluatorSpec spec{.batch = 50, .limit = count, .keep_images = attacks::KeepImages::yes};
  return attacks::Evaluator(network, data.test, perturbation, spec).run();
}

std::vector<std::int64_t> logits_shape(const attacks::Evaluation& e) {
  return {e.n, e.classes};
}

void measure_images(Network& network, const ImageData& data, attacks::PgdSpec attack, std::int64_t count,
                    const std::string& path) {
  attack.steps = 1;
  const attacks::Evaluation gradient = evaluate(network, data, InputGradient{}, count);
  const attacks::Evaluation step = evaluate(network, data, attacks::Pgd(attack), count);
  const Shape image = network.graph().input_shape();
  const std::vector<std::int64_t> shape{count, image.c, image.h, image.w};
  write_safetensors(path, {{"logits", view_of(gradient.clean_logits, logits_shape(gradient))},
                           {"gradient", view_of(gradient.images, shape)},
                           {"one_step", view_of(step.images, shape)}});
}

void save_gradients(const Network& network, double loss, const std::string& path) {
  const ParameterStore& store = network.parameters();
  std::map<std::string, std::vector<float>> values;
  const std::vector<double> mean_loss{loss};
  ArrayViews views{{"loss", view_of(mean_loss, {})}};
  for (const ParameterEntry& entry : store.weights.entries()) {
    std::vector<float>& gradient = values[entry.name];
    gradient.resize(static_cast<std::size_t>(entry.count));
    store.gradients.download(gradient.data(), gradient.size(), static_cast<std::size_t>(entry.offset));
    views[entry.name] = view_of(gradient, entry.shape);
  }
  write_safetensors(path, views);
}

void measure(Arguments& arguments, const Device& device) {
  const ImageData data = load_image_data(arguments.text("data"));
  Network network = make_network(arguments, data, device);
  const std::string weights = arguments.text("weights"), out = arguments.text("out");
  const attacks::PgdSpec attack = attacks::parse_pgd(arguments.text("attack"));
  const std::int64_t images = arguments.integer("images");
  const TrainerSpec spec{.epochs = 2,  // of one step each
                         .batch = arguments.integer("batch"),
                         .optimizer = {.momentum = static_cast<float>(arguments.number("momentum")),
                                       .decay = static_cast<float>(arguments.number("decay"))},
                         .schedule = {.peak = arguments.number("rate"), .milestones = {}},
                         .augmentation = {}};
  arguments.finish();

  load_network(weights, network);
  save_network(out + "/again.safetensors", network);
  measure_images(network, data, attack, images, out + "/images.safetensors");

  Trainer trainer(network, Erm{}, first_images(data.train, spec.batch), spec);
  trainer.run_step();
  const TrainingTally tally = trainer.tally();
  save_gradients(network, tally.loss / static_cast<double>(tally.seen), out + "/gradients.safetensors");
  save_network(out + "/after_1.safetensors", network);
  trainer.run_step();
  save_network(out + "/after_2.safetensors", network);
}

void attack(Arguments& arguments, const Device& device) {
  const ImageData data = load_image_data(arguments.text("data"));
  Network network = make_network(arguments, data, device);
  const std::string weights = arguments.text("weights"), out = arguments.text("out");
  const attacks::Pgd attack(attacks::parse_pgd(arguments.text("attack")));
  const std::int64_t images = arguments.integer("images");
  arguments.finish();

  load_network(weights, network);
  const attacks::Evaluation e = evaluate(network, data, attack, images);
  write_safetensors(out, {{"clean", view_of(e.clean_logits, logits_shape(e))},
                          {"attacked", view_of(e.logits, logits_shape(e))}});
}

void run(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  Arguments arguments(std::max(argc - 2, 0), argv + std::min(argc, 2));
  const Device device = Device::open("cpu", {.threads = 1, .instruction_set = {}, .precise = true});
  if (verb == "synth") return synthesize_data(arguments);
  if (verb == "train") return train(arguments, device);
  if (verb == "measure") return measure(arguments, device);
  if (verb == "attack") return attack(arguments, device);
  fail(ErrorKind::usage, "'", verb, "': expected synth, train, measure or attack");
}

}  // namespace
}  // namespace inocula

int main(int argc, char** argv) {
  try {
    inocula::run(argc, argv);
    return 0;
  } catch (const inocula::Error& error) {
    std::fprintf(stderr, "parity_dump: %s\n", error.what());
    return 1;
  }
}
