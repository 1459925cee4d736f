// Training to the bit: repeated, interrupted after any step, on other instruction sets; what it refuses.
#include "engine/trainer.h"

#include <algorithm>
#include <set>

#include "attacks/pgd.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/erm.h"
#include "tests/engine/by_hand.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

const Shape kImage{1, 1, 9, 8};
constexpr std::int64_t kClasses = 3, kBatch = 6, kImages = 27;  // four steps an epoch, three images left over
constexpr std::int64_t kEpochs = 5;

attacks::PgdSpec inner_attack() {
  return {.norm = attacks::Norm::linf, .eps = 0.05, .alpha = 0.02, .steps = 2, .restarts = 2, .target = {}};
}

TrainerSpec trainer_spec(std::uint64_t seed, OptimizerKind kind = OptimizerKind::sgd) {
  return {.epochs = kEpochs,
          .batch = kBatch,
          .optimizer = {.kind = kind, .decay = 1e-3f},
          .schedule = {.kind = ScheduleKind::triangular,
                       .peak = kind == OptimizerKind::sgd ? 0.05 : 0.002,
                       .milestones = {}},
          .augmentation = {.flip = true, .shift = 1},
          .seed = seed};
}

/// A network and its adversarial trainer, always from the same start.
struct Run {
  explicit Run(const Device& device, std::uint64_t seed = 4, OptimizerKind kind = OptimizerKind::sgd,
               Precision precision = Precision::fp32)
      : network(small_resnet(kImage, 3, kClasses), device, precision),
        split(random_split(kImages, kImage, kClasses, 5)),
        attack(inner_attack()),
        objective("pgd", attack, NormMode::frozen, 3),
        trainer((network.initialize(7), network), objective, split, trainer_spec(seed, kind)) {}

  std::vector<float> finish() { return advance(trainer.total_steps()); }
  std::vector<float> advance(std::int64_t steps) {
    for (; steps > 0 && !trainer.done(); --steps) trainer.run_step();
    return state();
  }
  /// Weights and running statistics.
  std::vector<float> state() const {
    std::vector<float> all = all_weights(network);
    const std::vector<float> statistics = all_statistics(network);
    all.insert(all.end(), statistics.begin(), statistics.end());
    return all;
  }

  Network network;
  ImageSplit split;
  attacks::Pgd attack;
  AdversarialTraining objective;
  Trainer trainer;
};

/// Writes down which images and labels each step sees, and otherwise trains as usual.
class Witness final : public Objective {
 public:
  explicit Witness(std::int64_t replays = 1) : replays_(replays) {}
  std::string name() const override { return "witness"; }
  std::int64_t replays() const override { return replays_; }
  TrainingResult record(Recorder& r, Network& network, const TrainingPorts& ports) const override {
    r.step("witness", [this, ports](Access& at) -> Launch {
      const auto* sample = at.in<std::int32_t>(ports.sample);
      const auto* label = at.in<std::int32_t>(ports.label);
      const float* image = at.in(ports.images);
      const std::int64_t rows = ports.images.shape.n, size = ports.images.shape.per_sample();
      return [=, this](const Queue&) {
        for (std::int64_t i = 0; i < rows; ++i)
          seen_.push_back(
              {sample[i], label[i], std::vector<float>(image + i * size, image + (i + 1) * size)});
      };
    });
    return Erm{}.record(r, network, ports);
  }

  struct Seen {
    std::int32_t sample, label;
    std::vector<float> image;
  };
  const std::vector<Seen>& seen() const { return seen_; }

 private:
  std::int64_t replays_;
  mutable std::vector<Seen> seen_;
};

void refuse(ErrorKind kind, const std::string& part, const ImageSplit& split, TrainerSpec spec) {
  Network network(tiny_graph(kImage, 2, kClasses), cpu());
  const Erm objective;
  check_throws(kind, part, [&] { Trainer trainer(network, objective, split, spec); });
}

}  // namespace

TEST_CASE("trainer: the same seed gives the same bits, another seed others, on one thread and on two") {
  constexpr std::int64_t kSteps = 6;  // into the second epoch
  for (const Device* device : {&cpu(), &cpu_of_two_threads()}) {
    CAPTURE(device->threads());
    const std::vector<float> first = Run(*device).advance(kSteps);
    CHECK(same_bits(first, Run(*device).advance(kSteps)));
    CHECK(!same_bits(first, Run(*device, 5).advance(kSteps)));
    CHECK(std::none_of(first.begin(), first.end(), [](float v) { return v != v; }));
  }
}

TEST_CASE("trainer: stopped after every step and continued in a fresh trainer, it ends in the same bits") {
  struct Case {
    OptimizerKind kind;
    Precision precision;
  };
  for (const Case& c : {Case{OptimizerKind::sgd, Precision::fp32}, Case{OptimizerKind::adam, Precision::fp32},
                        Case{OptimizerKind::sgd, Precision::bf16}}) {
    if (!cpu().backend().supports(c.precision)) continue;
    CAPTURE(to_string(c.precision));
    Run whole(cpu(), 4, c.kind, c.precision);
    TrainerState carried = Run(cpu(), 4, c.kind, c.precision).trainer.save();
    REQUIRE(whole.trainer.total_steps() == 20);
    while (!whole.trainer.done()) {
      CAPTURE(whole.trainer.step());
      Run resumed(cpu(), 4, c.kind, c.precision);
      resumed.trainer.restore(carried);
      CHECK(resumed.trainer.step() == whole.trainer.step());
      CHECK(resumed.trainer.next_learning_rate() == whole.trainer.next_learning_rate());
      if (whole.trainer.step() % whole.trainer.steps_per_epoch() == 0) {
        whole.trainer.clear_tally();
        resumed.trainer.clear_tally();
      }
      whole.trainer.run_step();
      resumed.trainer.run_step();
      carried = resumed.trainer.save();
      CHECK(same_state(carried, whole.trainer.save()));
    }
    // And from the middle to the end in one go, in a trainer that has run elsewhere before.
    Run half(cpu(), 4, c.kind, c.precision);
    while (half.trainer.step() < 7) half.trainer.run_step();
    const TrainerState middle = half.trainer.save();
    Run used(cpu(), 4, c.kind, c.precision);
    while (used.trainer.step() < 13) used.trainer.run_step();
    used.trainer.restore(middle);
    CHECK(same_bits(used.finish(), whole.state()));
  }
}

TEST_CASE("trainer: every instruction set of this machine trains to the same bits") {
  // The convolutions are oneDNN's in each case; our kernels promise to agree.
  std::vector<float> first;
  int ran = 0;
  for (const char* name : {"baseline", "avx2", "avx512"}) {
    std::vector<float> state;
    try {
      const Device device = Device::open("cpu", {.threads = 1, .instruction_set = name});
      CHECK(std::string(device.kernels().target).find(name) != std::string::npos);
      state = Run(device).finish();
    } catch (const Error& e) {
      MESSAGE("skipped: ", name, ": ", e.what());
      CHECK(static_cast<int>(e.kind()) == static_cast<int>(ErrorKind::missing_package));
      continue;
    }
    ran += 1;
    if (first.empty()) first = state;
    CAPTURE(name);
    CHECK(same_bits(first, state));
  }
  CHECK(ran >= 1);
  check_throws(ErrorKind::missing_package, "instruction set 'sse9' cannot be used; there are: ", [] {
    Device::open("cpu", {.threads = 1, .instruction_set = "sse9"});
  });
}

TEST_CASE("trainer: devices that are not there are refused") {
  check_throws(ErrorKind::usage, "device 'tpu' is unknown", [] { Device::open("tpu"); });
  check_throws(ErrorKind::usage, "threads is -1",
               [] { Device::open("cpu", {.threads = -1, .instruction_set = ""}); });
  check_throws(ErrorKind::usage, "threads is 5000, expected 0 (every core) to ",
               [] { Device::open("cpu", {.threads = 5000, .instruction_set = ""}); });
  check_throws(ErrorKind::missing_package, "device 'cuda:0'", [] { Device::open("cuda:0"); });
}

TEST_CASE("trainer: an epoch sees every image at most once, as it is, and the next one in another order") {
  Network network(tiny_graph({1, 2, 5, 4}, 2, kClasses), cpu());
  network.initialize(1);
  const ImageSplit split = random_split(kImages, {1, 2, 5, 4}, kClasses, 8);
  const Witness witness;
  TrainerSpec spec = trainer_spec(3);
  spec.augmentation = {};
  Trainer trainer(network, witness, split, spec);
  CHECK(trainer.steps_per_epoch() == kImages / kBatch);
  CHECK(trainer.total_steps() == kImages / kBatch * kEpochs);
  while (!trainer.done()) {
    CHECK(trainer.epoch() == trainer.step() / trainer.steps_per_epoch());
    trainer.run_step();
  }
  check_throws(ErrorKind::internal, "all 20 steps are done", [&] { trainer.run_step(); });
  const std::size_t per_epoch = static_cast<std::size_t>(trainer.steps_per_epoch() * kBatch);
  REQUIRE(witness.seen().size() == per_epoch * kEpochs);
  std::set<std::vector<std::int32_t>> orders;
  for (std::size_t epoch = 0; epoch < kEpochs; ++epoch) {
    std::vector<std::int32_t> order;
    for (std::size_t i = 0; i < per_epoch; ++i) {
      const Witness::Seen& seen = witness.seen()[epoch * per_epoch + i];
      order.push_back(seen.sample);
      CHECK(seen.label == split.labels[static_cast<std::size_t>(seen.sample)]);
      const std::uint8_t* from = split.pixels.data() + seen.sample * split.image_bytes();
      bool same = true;
      for (std::int64_t c = 0; c < 2; ++c)
        for (std::int64_t p = 0; p < 20; ++p)
          same = same && seen.image[static_cast<std::size_t>(c * 20 + p)] ==
                             static_cast<float>(from[p * 2 + c]) / 255.0f;
      CHECK(same);
    }
    CHECK(std::set<std::int32_t>(order.begin(), order.end()).size() == per_epoch);
    orders.insert(order);
  }
  CHECK(orders.size() == kEpochs);
}

TEST_CASE(
    "trainer: augmentation changes images, differently each epoch, and never an image's pixels' range") {
  const Shape image{1, 1, 7, 6};
  Network network(tiny_graph(image, 2, kClasses), cpu());
  network.initialize(1);
  const ImageSplit split = random_split(kBatch, image, kClasses, 8);
  const Witness witness;
  Trainer trainer(network, witness, split, trainer_spec(3));
  while (!trainer.done()) trainer.run_step();
  std::map<std::int32_t, std::set<std::vector<float>>> versions;
  for (const Witness::Seen& seen : witness.seen()) {
    versions[seen.sample].insert(seen.image);
    CHECK(*std::min_element(seen.image.begin(), seen.image.end()) >= 0);
    CHECK(*std::max_element(seen.image.begin(), seen.image.end()) <= 1);
  }
  CHECK(versions.size() == kBatch);
  std::size_t distinct = 0;
  for (const auto& [sample, images] : versions) distinct += images.size();
  CHECK(distinct > 2 * versions.size());  // of five epochs' draws from 18 versions
}

TEST_CASE("trainer: a batch that is replayed is the same in each replay, augmentation included") {
  constexpr std::int64_t kReplays = 3;
  Network network(tiny_graph(kImage, 2, kClasses), cpu());
  network.initialize(1);
  const ImageSplit split = random_split(kImages, kImage, kClasses, 8);
  const Witness once, replayed(kReplays);
  Trainer single(network, once, split, trainer_spec(3)), trainer(network, replayed, split, trainer_spec(3));
  CHECK(trainer.epochs() == kEpochs);
  CHECK(trainer.steps_per_epoch() == kReplays * single.steps_per_epoch());
  CHECK(trainer.total_steps() == kReplays * single.total_steps());
  while (!single.done()) single.run_step();
  while (!trainer.done()) {
    CHECK(trainer.epoch() == trainer.step() / trainer.steps_per_epoch());
    trainer.run_step();
  }
  REQUIRE(replayed.seen().size() == kReplays * once.seen().size());
  const auto batch = static_cast<std::size_t>(kBatch);
  bool same = true;
  for (std::size_t i = 0; i < replayed.seen().size(); ++i) {
    const Witness::Seen& seen = replayed.seen()[i];
    const Witness::Seen& expected = once.seen()[i / (kReplays * batch) * batch + i % batch];
    same = same && seen.sample == expected.sample && seen.label == expected.label &&
           same_bits(seen.image, expected.image);
  }
  CHECK(same);
}

TEST_CASE("trainer: replays that cannot be counted are refused") {
  Network network(tiny_graph(kImage, 2, kClasses), cpu());
  const ImageSplit split = random_split(kImages, kImage, kClasses, 8);
  const std::int64_t most = 0xffffffff / (kImages / kBatch);
  for (const std::int64_t replays : {std::int64_t{0}, std::int64_t{-1}, most + 1}) {
    const Witness witness(replays);
    check_throws(ErrorKind::usage,
                 "replays is " + std::to_string(replays) + ", expected 1 to " + std::to_string(most),
                 [&] { Trainer trainer(network, witness, split, trainer_spec(3)); });
  }
  const Witness many(most);
  check_throws(ErrorKind::usage, "epochs is 5, expected at most 1 of",
               [&] { Trainer trainer(network, many, split, trainer_spec(3)); });
}

TEST_CASE("trainer: the tally sums losses and hits until it is cleared") {
  Run run(cpu());
  run.trainer.run_step();
  const TrainingTally one = run.trainer.tally();
  CHECK(one.seen == kBatch);
  CHECK(one.correct <= kBatch);
  CHECK(one.loss > 0);
  run.trainer.run_step();
  CHECK(run.trainer.tally().seen == 2 * kBatch);
  CHECK(run.trainer.tally().loss > one.loss);
  run.trainer.clear_tally();
  CHECK(run.trainer.tally().seen == 0);
  CHECK(run.trainer.tally().loss == 0);
}

TEST_CASE(
    "trainer: how often the running statistics were updated is counted, attacks in training mode included") {
  const ImageSplit split = random_split(kImages, kImage, kClasses, 5);
  struct Case {
    NormMode attack_norm;
    attacks::Iterate iterate;
    std::int64_t forwards;  // of the attack
    std::int64_t updates;   // in a step
  };
  for (const Case& c : {Case{NormMode::frozen, attacks::Iterate::last, 3, 1},
                        Case{NormMode::batch_no_update, attacks::Iterate::last, 3, 1},
                        Case{NormMode::batch, attacks::Iterate::last, 3, 4},
                        Case{NormMode::batch, attacks::Iterate::best, 4, 5}}) {
    Network network(small_resnet(kImage, 3, kClasses), cpu());
    network.initialize(7);
    const attacks::Pgd attack({.norm = attacks::Norm::linf,
                               .eps = 0.05,
                               .alpha = 0.02,
                               .steps = 3,
                               .iterate = c.iterate,
                               .target = {}});
    const AdversarialTraining objective("pgd", attack, c.attack_norm, c.forwards);
    Trainer trainer(network, objective, split, trainer_spec(4));
    trainer.run_step();
    CHECK(network.parameters().batches_tracked == c.updates);
    // The Program says how often it does: one launch for each of the 20 norms and each update.
    const std::vector<float> before = all_statistics(network);
    std::int64_t statistics = 0;
    for (const PartTime& part : trainer.program().run_timed())
      if (part.name == "norm.statistics") statistics = part.count;
    const std::int64_t with_batch_statistics = c.attack_norm == NormMode::frozen ? 1 : 1 + c.forwards;
    CHECK(statistics == 20 * with_batch_statistics);
    CHECK(!same_bits(before, all_statistics(network)));
  }
}

TEST_CASE("trainer: a saved state that does not fit is refused and changes nothing") {
  Run run(cpu());
  run.trainer.run_step();
  const TrainerState good = run.trainer.save();
  const std::vector<float> before = run.state();
  const auto refuse_state = [&](const char* part, auto change) {
    TrainerState bad = good;
    for (TrainerState::Array& array : bad.arrays)
      for (float& v : array.values) v += 1;
    change(bad);
    check_throws(ErrorKind::bad_data, part, [&] { run.trainer.restore(bad); });
    CHECK(same_bits(before, run.state()));
    CHECK(run.trainer.step() == 1);
  };
  refuse_state("has 2 arrays, expected 3", [](TrainerState& s) { s.arrays.pop_back(); });
  refuse_state("array 'weight'", [](TrainerState& s) { s.arrays[0].name = "weight"; });
  refuse_state("array 'first_moment'", [](TrainerState& s) { s.arrays[2].values.pop_back(); });
  refuse_state("step 21 of 20", [](TrainerState& s) { s.step = 21; });
  refuse_state("step -1 of 20", [](TrainerState& s) { s.step = -1; });
  run.trainer.restore(good);
  CHECK(same_bits(before, run.state()));
}

TEST_CASE("trainer: settings and data that make no sense are refused") {
  const ImageSplit split = random_split(kImages, kImage, kClasses, 5);
  const TrainerSpec spec = trainer_spec(1);
  const auto with = [&](auto change) {
    TrainerSpec changed = spec;
    change(changed);
    return changed;
  };
  refuse(ErrorKind::usage, "epochs is 0", split, with([](TrainerSpec& s) { s.epochs = 0; }));
  refuse(ErrorKind::usage, "batch is 1, expected at least 2", split,
         with([](TrainerSpec& s) { s.batch = 1; }));
  refuse(ErrorKind::usage, "batch is 28, but split 'random' has 27 images", split,
         with([](TrainerSpec& s) { s.batch = 28; }));
  refuse(ErrorKind::usage, "shift is -1", split, with([](TrainerSpec& s) { s.augmentation.shift = -1; }));
  const std::int64_t side = std::min(kImage.h, kImage.w);
  refuse(ErrorKind::usage, "shift is " + std::to_string(side) + ", expected 0 to", split,
         with([=](TrainerSpec& s) { s.augmentation.shift = static_cast<std::int32_t>(side); }));
  refuse(ErrorKind::usage, "shift is 2000000000", split,
         with([](TrainerSpec& s) { s.augmentation.shift = 2'000'000'000; }));
  const std::int64_t most_epochs = 0xffffffff / (kImages / kBatch);
  refuse(ErrorKind::usage, "expected at most " + std::to_string(most_epochs), split,
         with([=](TrainerSpec& s) { s.epochs = most_epochs + 1; }));
  refuse(ErrorKind::usage, "epochs is 1000000000000000000", split,
         with([](TrainerSpec& s) { s.epochs = 1'000'000'000'000'000'000; }));
  refuse(ErrorKind::usage, "lr is 0", split, with([](TrainerSpec& s) { s.schedule.peak = 0; }));
  refuse(ErrorKind::usage, "momentum is 2", split, with([](TrainerSpec& s) { s.optimizer.momentum = 2; }));

  ImageSplit bad = split;
  bad.labels[13] = 3;
  refuse(ErrorKind::bad_data, "split 'random': label 3 of image 13, expected 0 to 2", bad, spec);
  bad.labels[13] = -1;
  refuse(ErrorKind::bad_data, "label -1 of image 13", bad, spec);
  bad = split;
  bad.pixels.pop_back();
  refuse(ErrorKind::bad_data, "1943 bytes of pixels and 27 labels, expected 1944 and 27", bad, spec);
  bad = split;
  bad.labels.pop_back();
  refuse(ErrorKind::bad_data, "1944 bytes of pixels and 26 labels, expected 1944 and 27", bad, spec);
  refuse(ErrorKind::bad_data, "images are 3 x 9 x 8 (channels, height, width), the network expects 1 x 9 x 8",
         random_split(kImages, {1, 3, 9, 8}, kClasses, 5), spec);
  ImageSplit empty = random_split(0, kImage, kClasses, 5);
  refuse(ErrorKind::bad_data, "split 'random' is empty", empty, spec);
}

}  // namespace inocula::test
