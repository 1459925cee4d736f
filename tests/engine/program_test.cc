// Programs: order of steps and loops, replay to the bit, poisoned memory, kept preparation, what is allocated
// and when.
#include "engine/program.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "attacks/evaluate.h"
#include "attacks/pgd.h"
#include "attacks/registry.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/erm.h"
#include "engine/trainer.h"
#include "tests/engine/allocations.h"
#include "tests/engine/by_hand.h"
#include "tests/engine/capturing_backend.h"
#include "tests/engine/counting_backend.h"
#include "tests/engine/device_behind.h"
#include "tests/engine/forwarding_backend.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

const Shape kImage{1, 1, 10, 9};
constexpr std::int64_t kClasses = 3, kBatch = 4;

/// A network, data and an adversarial trainer of it: the largest Program there is.
struct Training {
  explicit Training(const Device& device, attacks::Norm norm = attacks::Norm::linf)
      : network(small_resnet(kImage, 4, kClasses), device),
        split(random_split(3 * kBatch, kImage, kClasses, 5)),
        attack({.norm = norm,
                .eps = norm == attacks::Norm::linf ? 0.05 : 0.5,
                .alpha = norm == attacks::Norm::linf ? 0.02 : 0.2,
                .steps = 3,
                .iterate = attacks::Iterate::best,
                .target = {}}),
        objective("pgd", attack, NormMode::frozen, 4),
        trainer((network.initialize(3), network), objective, split,
                {.epochs = 5,
                 .batch = kBatch,
                 .optimizer = {},
                 .schedule = {.peak = 0.05, .milestones = {}},
                 .augmentation = {.flip = true, .shift = 1},
                 .seed = 9}) {}

  Network network;
  ImageSplit split;
  attacks::Pgd attack;
  AdversarialTraining objective;
  Trainer trainer;
};

/// Everything that a step may change.
struct State {
  std::vector<float> weights, statistics;
  TrainingTally tally;

  explicit State(const Training& t)
      : weights(all_weights(t.network)), statistics(all_statistics(t.network)), tally(t.trainer.tally()) {}
  bool operator==(const State& o) const {
    return same_bits(weights, o.weights) && same_bits(statistics, o.statistics) &&
           tally.loss == o.tally.loss && tally.correct == o.tally.correct && tally.seen == o.tally.seen;
  }
};

}  // namespace

TEST_CASE("program: steps and nested loops run in the order in which they were recorded") {
  std::mt19937 generator(4);
  for (int turn = 0; turn < 300; ++turn) {
    Recorder r(cpu());
    std::vector<int> ran, expected;
    int next = 0;
    const auto record_step = [&] {
      const int id = next++;
      r.step("s", [&ran, id](Access&) -> Launch { return [&ran, id](const Queue&) { ran.push_back(id); }; });
      return id;
    };
    // Answers what a body will run, written down once for each turn by whoever records it.
    const std::function<std::vector<int>(int)> record_body = [&](int depth) {
      std::vector<int> body;
      for (int items = 1 + static_cast<int>(generator() % 3); items > 0; --items) {
        if (depth < 3 && generator() % 2 == 0) {
          const auto count = static_cast<std::int64_t>(1 + generator() % 3);
          std::vector<int> inner;
          r.loop(count, [&] { inner = record_body(depth + 1); });
          for (std::int64_t i = 0; i < count; ++i) body.insert(body.end(), inner.begin(), inner.end());
        } else {
          body.push_back(record_step());
        }
      }
      return body;
    };
    expected = record_body(0);
    Program program = r.finish();
    program.run();
    REQUIRE(ran == expected);
    CHECK(program.footprint().launches == expected.size());
    CHECK(program.footprint().steps == static_cast<std::size_t>(next));
    ran.clear();
    program.run_timed();
    REQUIRE(ran == expected);
  }
}

namespace {

/// What the loops of the following tests do, as kernels do it: by pointers alone.
struct Turns {
  int* turns;
  std::int32_t* flags;  ///< three of them; all are set from turn 5 on
};
void begin_turns(const Queue&, const Turns& a) {
  for (int i = 0; i < 3; ++i) a.flags[i] = 0;
}
void take_turn(const Queue&, const Turns& a) {
  ++*a.turns;
  for (int i = 0; i < 3; ++i) a.flags[i] = *a.turns > 2 * i ? 1 : 0;
}

struct Counted {
  int* count;
};
void add_one(const Queue&, const Counted& a) {
  ++*a.count;
}

/// Records a step that counts how often it is done.
void record_count(Recorder& r, const std::string& name, int& count) {
  r.kernel(name, enqueued<Counted, add_one>, [&count](Access&) { return Counted{&count}; });
}

}  // namespace

TEST_CASE("program: a loop that says when it is done leaves out the turns that are left, in every run anew") {
  CaptureCounts counts;
  const Device capturing = capturing_device(counts);
  bool captured = false;
  SUBCASE("step by step") {}
  SUBCASE("taken down") {
    captured = true;
  }
  Recorder r(captured ? capturing : cpu());
  const Tensor done = r.make("done", {3, 1, 1, 1}, DType::i32);
  int turns = 0, after = 0;
  r.kernel("start", enqueued<Turns, begin_turns>, [=](Access& at) {
    return Turns{nullptr, at.out<std::int32_t>(done)};
  });
  r.loop(2, [&] {
    r.loop(
        10,
        [&] {
          r.kernel("turn", enqueued<Turns, take_turn>, [=, &turns](Access& at) {
            return Turns{&turns, at.inout<std::int32_t>(done)};
          });
        },
        done);
    record_count(r, "after", after);
  });
  Program program = r.finish();
  CHECK(program.footprint().launches == 23);
  program.run();
  CHECK(turns == 6);  // five, and the one turn that a loop takes at least
  CHECK(after == 2);
  // The start, a turn of the inner loop, and what comes after it.
  CHECK(counts.captures == (captured ? 3 : 0));
  CHECK(counts.replays == (captured ? 9 : 0));
  CHECK(counts.eager == 0);
  turns = 0;
  program.run_timed();
  CHECK(turns == 6);
}

TEST_CASE("program: a long loop is taken down once, not turn by turn") {
  CaptureCounts counts;
  const Device device = capturing_device(counts);
  Recorder r(device);
  int turns = 0;
  const auto step = [&] { record_count(r, "turn", turns); };
  step();
  r.loop(100, [&] { r.loop(50, step); });
  r.loop(3, step);
  Program program = r.finish();
  CHECK(counts.captures == 3);
  program.run();
  CHECK(turns == 1 + 100 * 50 + 3);
  CHECK(counts.replays == 1 + 100 + 1);  // the inner loop is short
}

TEST_CASE("program: what a graph cannot hold is refused while it is taken down, or replayed as it was") {
  CaptureCounts counts;
  const Device device = capturing_device(counts);
  Buffer out(device, sizeof(float));
  const auto record = [&](Recorder& r, std::function<void(const Queue&)> work) {
    const Tensor to = r.external("out", out.as<void>(), {1, 1, 1, 1});
    r.step("planted", [=](Access& at) -> Launch {
      at.out(to);
      return work;
    });
  };
  const auto refused = [&](const std::string& part, std::function<void(const Queue&)> work) {
    Recorder r(device);
    record(r, std::move(work));
    check_throws(ErrorKind::internal, part, [&] { r.finish(); });
  };
  refused("'planted' enqueues nothing", [&](const Queue&) { *out.as<float>() = 1; });
  refused("allocate inside a capture", [&](const Queue&) { Buffer(device, 4); });
  refused("download inside a capture", [&](const Queue&) {
    float read = 0;
    out.download(&read, 1);
  });
  refused("upload inside a capture", [&](const Queue&) {
    const float one = 1;
    out.upload(&one, 1);
  });
  refused("synchronize inside a capture", [&](const Queue&) { device.backend().synchronize(); });

  // A number of the host's, handed over by value, stays what it was when the step was taken down.
  float rate = 1;
  Recorder r(device);
  record(r, [&](const Queue& queue) { device.kernels().fill(queue, {out.as<float>(), 1, rate}); });
  Program program = r.finish();
  rate = 2;
  program.run();
  CHECK(*out.as<float>() == 1);
}

TEST_CASE("program: what says that a loop is done has to be carried through it") {
  Recorder r(cpu());
  const Tensor inside = r.make("inside", {1, 1, 1, 1}, DType::i32);
  r.loop(
      2,
      [&] {
        r.step("turn", [=](Access& at) -> Launch {
          auto* const flag = at.out<std::int32_t>(inside);
          return [=](const Queue&) { *flag = 1; };
        });
      },
      inside);
  check_throws(ErrorKind::internal, "'inside' says when it ends", [&] { r.finish(); });
}

TEST_CASE("program: a loop carries its values") {
  Recorder r(cpu());
  Buffer out(cpu(), sizeof(float));
  const Tensor x = r.make("x", {1, 1, 1, 1}), result = r.external("result", out.as<void>(), {1, 1, 1, 1});
  r.step("start", [=](Access& at) -> Launch {
    float* to = at.out(x);
    return [=](const Queue&) { *to = 1; };
  });
  r.loop(5, [&] {
    r.step("double", [=](Access& at) -> Launch {
      float* v = at.inout(x);
      return [=](const Queue&) { *v *= 2; };
    });
    const Tensor local = r.make("local", {1, 1, 1, 1});
    r.step("make", [=](Access& at) -> Launch {
      const float* from = at.in(x);
      float* to = at.out(local);
      return [=](const Queue&) { *to = *from + 1; };
    });
    r.step("take", [=](Access& at) -> Launch {
      const float* from = at.in(local);
      float* to = at.inout(x);
      return [=](const Queue&) { *to = *from; };
    });
  });
  r.step("hand out", [=](Access& at) -> Launch {
    const float* from = at.in(x);
    float* to = at.out(result);
    return [=](const Queue&) { *to = *from; };
  });
  Program program = r.finish();
  for (int run = 0; run < 2; ++run) {
    program.poison();
    program.run();
    CHECK(*out.as<float>() == 63);  // x <- 2 x + 1, five times from 1
  }
}

TEST_CASE("program: misuse is refused") {
  check_throws(ErrorKind::internal, "nothing was recorded", [] { Program().run(); });
  Recorder r(cpu());
  check_throws(ErrorKind::internal, "count is 0", [&] { r.loop(0, [] {}); });
  check_throws(ErrorKind::internal, "records nothing", [&] { r.loop(1, [] {}); });
  check_throws(ErrorKind::internal, "'x' of shape (1, 0, 1, 1) is empty", [&] { r.make("x", {1, 0, 1, 1}); });
  check_throws(ErrorKind::internal, "'x' has no memory", [&] { r.external("x", nullptr, {1, 1, 1, 1}); });
  Recorder reads_early(cpu());
  const Tensor t = reads_early.make("early", {1, 1, 1, 1});
  reads_early.step("read", [=](Access& at) -> Launch {
    at.in(t);
    return [](const Queue&) {};
  });
  check_throws(ErrorKind::internal, "reads 'early' before it was written", [&] { reads_early.finish(); });
}

TEST_CASE(
    "program: a replayed step, a freshly recorded one, a timed one and one in poisoned memory give the same "
    "bits") {
  for (const attacks::Norm norm : {attacks::Norm::linf, attacks::Norm::l2}) {
    Training replayed(cpu(), norm), timed(cpu(), norm), poisoned(cpu(), norm);
    const State start(replayed);
    TrainerState fresh_state = replayed.trainer.save();
    for (int step = 0; step < 4; ++step) {
      replayed.trainer.run_step();
      const State expected(replayed);
      CHECK(!(expected == start));

      Training fresh(cpu(), norm);  // recorded anew for this one step
      fresh.trainer.restore(fresh_state);
      fresh.trainer.run_step();
      CHECK(State(fresh) == expected);
      fresh_state = fresh.trainer.save();

      poisoned.trainer.program().poison();
      poisoned.trainer.run_step();
      CHECK(State(poisoned) == expected);
    }
    // run_timed replays the step whose state was uploaded last: from the same state, the same result.
    const TrainerState before = timed.trainer.save();
    timed.trainer.run_step();
    const State once(timed);
    timed.trainer.restore(before);
    const std::vector<PartTime> parts = timed.trainer.program().run_timed();
    CHECK(State(timed) == once);
    std::int64_t launches = 0;
    for (const PartTime& part : parts) {
      CHECK(part.count > 0);
      CHECK(part.seconds >= 0);
      launches += part.count;
    }
    CHECK(static_cast<std::size_t>(launches) == timed.trainer.program().footprint().launches);
    CHECK(std::is_sorted(parts.begin(), parts.end(),
                         [](const PartTime& a, const PartTime& b) { return a.seconds > b.seconds; }));
  }
}

TEST_CASE("program: a run twice from one state gives identical adversarial images") {
  Network network(small_resnet(kImage, 4, kClasses), cpu());
  randomize(network, 2);
  const ImageSplit split = random_split(6, kImage, kClasses, 3);
  const attacks::Pgd attack(
      {.norm = attacks::Norm::linf, .eps = 0.1, .alpha = 0.03, .steps = 3, .restarts = 2, .target = {}});
  attacks::Evaluator evaluator(network, split, attack,
                               {.batch = 4, .seed = 5, .keep_images = attacks::KeepImages::yes});
  const attacks::Evaluation first = evaluator.run();
  CHECK(same_bits(first.images, evaluator.run().images));
  evaluator.program().poison();
  const attacks::Evaluation poisoned = evaluator.run();
  CHECK(same_bits(first.images, poisoned.images));
  CHECK(same_bits(first.logits, poisoned.logits));
  CHECK(same_bits(first.clean_logits, poisoned.clean_logits));
}

TEST_CASE("program: a kept preparation gives the same bits as a repeated one") {
  for (const GraphCase& c : graph_cases()) {
    CAPTURE(c.name);
    Network network(c.graph, cpu());
    randomize(network, 21);
    const Shape shape = c.graph.input_shape().with_batch(c.batch);
    const std::vector<float> images = random_images(shape, 22), others = random_images(shape, 23);
    Buffer x(cpu(), images.size() * sizeof(float)), dx(cpu(), images.size() * sizeof(float));
    Recorder r(cpu());
    const Tensor in = r.external("images", x.as<void>(), shape);
    Recording recording(r, network, c.batch,
                        {.norm = NormMode::frozen, .input_gradient = true, .parameter_gradients = false});
    ForwardTrace trace = recording.forward(in);
    const Tensor gradient = recording.backward(trace, trace.logits);
    const Tensor out = r.external("gradient", dx.as<void>(), shape);
    const PlaneShape planes = r.planes(gradient);
    r.kernel("copy", r.kernels().affine, [=](Access& at) {
      return Affine{at.in(gradient), nullptr, nullptr, nullptr,
                    at.out(out),     nullptr, planes,  Activation::none};
    });
    Program program = r.finish(Preparation::kept);
    const auto run = [&](const std::vector<float>& batch, Preparation preparation) {
      x.upload(batch.data(), batch.size());
      program.run(preparation);
      std::vector<float> result(batch.size());
      dx.download(result.data(), result.size());
      return result;
    };
    check_throws(ErrorKind::internal, "no preparation to keep", [&] { program.run(Preparation::kept); });
    const std::vector<float> first = run(images, Preparation::repeated),
                             second = run(others, Preparation::repeated);
    CHECK(!same_bits(first, second));
    CHECK(same_bits(run(images, Preparation::kept), first));
    CHECK(same_bits(run(others, Preparation::kept), second));
    CHECK(same_bits(run(images, Preparation::kept), first));
    program.poison();
    check_throws(ErrorKind::internal, "no preparation to keep", [&] { program.run(Preparation::kept); });
    CHECK(same_bits(run(images, Preparation::repeated), first));
  }
  Recorder r(cpu());
  r.step("nothing", [](Access&) -> Launch { return [](const Queue&) {}; });
  Program repeated = r.finish();
  repeated.run();
  check_throws(ErrorKind::internal, "no preparation to keep", [&] { repeated.run(Preparation::kept); });
}

TEST_CASE("program: its footprint is what was allocated, in one piece, before the first run") {
  BackendCounts counts;
  const Device device = counting_device(counts);
  {
    Network network(small_resnet(kImage, 4, kClasses), device);
    network.initialize(1);
    const std::size_t before_bytes = counts.alive_bytes, before_calls = counts.calls;
    Recorder r(device);
    Recording recording(r, network, kBatch,
                        {.norm = NormMode::batch, .input_gradient = true, .parameter_gradients = true});
    const Tensor images = r.make("images", kImage.with_batch(kBatch));
    r.kernel("fill", r.kernels().fill, [=](Access& at) {
      return Fill{at.out(images), images.shape.size(), 0.5f};
    });
    ForwardTrace trace = recording.forward(images);
    recording.backward(trace, trace.logits);
    const std::size_t constants = counts.alive_bytes - before_bytes;  // normalisation's scale and shift
    CHECK(constants == 2 * sizeof(float));
    Program program = r.finish();
    const Footprint f = program.footprint();
    CHECK(counts.calls == before_calls + 2);
    CHECK(counts.alive_bytes == before_bytes + constants + f.arena_bytes);
    CHECK(f.arena_bytes < f.sum_bytes);
    std::size_t items = 0;
    for (const Footprint::Item& item : f.items) items += item.bytes;
    CHECK(items <= f.sum_bytes);
    CHECK(
        std::is_sorted(f.items.begin(), f.items.end(),
                       [](const Footprint::Item& a, const Footprint::Item& b) { return a.bytes > b.bytes; }));
    const std::size_t calls = counts.calls;
    program.run();
    program.run();
    CHECK(counts.calls == calls);
    const std::string text = f.to_string();
    CHECK(text.find(std::to_string(f.steps) + " steps, " + std::to_string(f.launches) + " launches") !=
          std::string::npos);
    CHECK(text.find(f.items[0].name) != std::string::npos);
  }
  CHECK(counts.alive_bytes == 0);
}

TEST_CASE("program: an attack keeps one bit an activation where training keeps the activations") {
  // Wide maps, few weights: activations are what memory is made of.
  constexpr std::int64_t kDepth = 12, kWidth = 16;
  const Shape image{1, 1, 24, 24};
  Graph g(image);
  Value x = 0;
  for (std::int64_t i = 0; i < kDepth; ++i) {
    const std::string number = std::to_string(i);
    x = g.add("conv" + number, op::Conv{kWidth, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}}, {x});
    x = g.add("norm" + number, op::BatchNorm{}, {x});
    x = g.add("relu" + number, op::Relu{}, {x});
  }
  x = g.add("pool", op::GlobalAveragePool{}, {x});
  g.add("fc", op::Linear{2, true}, {x});
  Network network(g, precise_cpu());
  constexpr std::int64_t kImages = 16;
  const auto footprint = [&](RecordingMode mode) {
    Recorder r(precise_cpu());
    Recording recording(r, network, kImages, mode);
    const Tensor images = r.make("images", image.with_batch(kImages));
    r.kernel("fill", r.kernels().fill, [=](Access& at) {
      return Fill{at.out(images), images.shape.size(), 0.5f};
    });
    ForwardTrace trace = recording.forward(images);
    if (mode.input_gradient || mode.parameter_gradients) recording.backward(trace, trace.logits);
    return r.finish().footprint();
  };
  const Footprint look = footprint({});
  const Footprint attack =
      footprint({.norm = NormMode::frozen, .input_gradient = true, .parameter_gradients = false});
  const Footprint train =
      footprint({.norm = NormMode::batch, .input_gradient = false, .parameter_gradients = true});
  const double activation = static_cast<double>(kImages * kWidth * image.pixels()) * sizeof(float);
  const auto in_activations = [&](const Footprint& f) {
    return static_cast<double>(f.arena_bytes) / activation;
  };
  // Two that take turns, or three while a residual waits; the rest is images, weights and scratch.
  CHECK(in_activations(look) < 3);
  CHECK(in_activations(attack) < 3 + kDepth / 32.0);
  CHECK(in_activations(train) > 2 * kDepth);  // what entered each norm and each convolution
  const std::int64_t kept = std::count_if(
      attack.items.begin(), attack.items.end(),
      [&](const Footprint::Item& item) { return item.name.find("signs") != std::string::npos; });
  CHECK(kept == kDepth);
  for (const Footprint::Item& item : attack.items)
    if (item.name.find("signs") != std::string::npos)
      CHECK(static_cast<double>(item.bytes) == activation / 32);
}

TEST_CASE("program: our code allocates nothing while it runs") {
  if (!can_count_allocations()) {
    MESSAGE("skipped: AddressSanitizer keeps operator new for itself");
    return;
  }
  AllocationCounter proof;
  std::vector<int>* volatile seen = new std::vector<int>(3);  // the counter counts
  CHECK(proof.stop().ours == 2);
  delete seen;

  Training training(cpu_of_two_threads());
  training.trainer.run_step();  // oneDNN and OpenMP set themselves up
  AllocationCounter counter;
  training.trainer.program().run();
  training.trainer.program().run();
  const Allocations during = counter.stop();
  CHECK(during.ours == 0);
  const Footprint f = training.trainer.program().footprint();
  MESSAGE("two runs of ", f.launches, " launches: oneDNN itself called operator new ", during.onednn,
          " times");

  AllocationCounter step;
  training.trainer.run_step();
  CHECK(step.stop().ours == 0);
}

TEST_CASE("program: taken down once and replayed, a training gives the bits of running it step by step") {
  for (const attacks::Norm norm : {attacks::Norm::linf, attacks::Norm::l2}) {
    CaptureCounts counts;
    const Device device = capturing_device(counts);
    Training replayed(device, norm), eager(channels_last(Fusion::none), norm);
    CHECK(counts.captures == 1);
    // Two epochs and more: step, learning rate, batch and augmentation change under the frozen launches.
    for (int step = 0; step < 8; ++step) {
      const CaptureCounts before = counts;
      replayed.trainer.run_step();
      CHECK(counts.waits == before.waits);
      CHECK(counts.allocations == before.allocations);
      eager.trainer.run_step();
      REQUIRE(State(replayed) == State(eager));
    }
    CHECK(counts.replays == 8);
    CHECK(counts.eager == 0);
    CHECK(counts.captures == 1);
  }
}

namespace {

/// One network where Programs are taken down and where they run step by step, and images.
struct InBothWays {
  explicit InBothWays(const Graph& graph, std::int64_t images = 11)
      : network(graph, device),
        same(graph, channels_last(Fusion::none)),
        split(random_split(images, kImage, graph.classes(), 5)) {
    network.initialize(3);
    same.initialize(3);
  }
  CaptureCounts counts;
  Device device = capturing_device(counts);
  Network network, same;
  ImageSplit split;
};

}  // namespace

TEST_CASE("program: a replay without its preparation finds what an earlier one prepared") {
  InBothWays both(small_resnet(kImage, 4, kClasses));
  const attacks::Pgd attack({.eps = 0.05,
                             .alpha = 0.02,
                             .steps = 3,
                             .restarts = 2,
                             .iterate = attacks::Iterate::best,
                             .target = {}});
  attacks::Evaluator replayed(both.network, both.split, attack, {.batch = 4, .seed = 9}),
      eager(both.same, both.split, attack, {.batch = 4, .seed = 9});
  CHECK(both.counts.captures == 2);
  CHECK(same_bits(replayed.run().logits, eager.run().logits));
  CHECK(both.counts.replays == 3);
  CHECK(both.counts.eager == 0);
}

TEST_CASE("program: every attack gives the same bits and passes whether it is replayed or not") {
  constexpr std::int64_t kMany = 10;  // for the ensembles
  InBothWays both(graph_by_hand(kImage, kMany), 3);
  for (const std::string& spec : attacks::sample_attacks()) {
    CAPTURE(spec);
    for (const attacks::Stage& stage : attacks::parse_attacks(spec)[0].stages(kMany)) {
      const attacks::EvaluatorSpec how{
          .batch = 2, .seed = 9, .keep_images = attacks::KeepImages::yes, .restart = stage.restart};
      attacks::Evaluator replayed(both.network, both.split, *stage.perturbation, how),
          eager(both.same, both.split, *stage.perturbation, how);
      const attacks::Evaluation here = replayed.run(), there = eager.run();
      CHECK(same_bits(here.images, there.images));
      CHECK(same_bits(here.logits, there.logits));
      CHECK(here.image_passes.forward == there.image_passes.forward);
      CHECK(here.image_passes.backward == there.image_passes.backward);
    }
  }
  CHECK(both.counts.eager == 0);
}

TEST_CASE("device: memory that the machine does not have is refused, and names both sizes") {
  check_throws(ErrorKind::missing_package, "out of memory on cpu: 1.04858e+06 GiB are needed in one piece, ",
               [] { Buffer(cpu(), std::size_t{1} << 50); });
}

namespace {

/// What a device has left.
struct MemoryLeft {
  std::size_t in_one_piece = 0, in_all = 0;
};

class SmallBackend final : public ForwardingBackend {
 public:
  SmallBackend(std::unique_ptr<Backend> inner, const MemoryLeft& left)
      : ForwardingBackend(std::move(inner)), left_(left) {}
  void* allocate(std::size_t bytes, Contents contents) override {
    if (bytes > left_.in_one_piece) fail_out_of_memory(name(), bytes, left_.in_all);
    return ForwardingBackend::allocate(bytes, contents);
  }

 private:
  const MemoryLeft& left_;
};

}  // namespace

TEST_CASE("device: where a batch does not fit, the error names one that does") {
  constexpr std::size_t kMost = std::size_t{3} << 20;
  const MemoryLeft left{kMost, kMost};
  const Device device = device_behind<SmallBackend>(left);
  Network network(small_resnet(kImage, 8, kClasses), device);
  network.initialize(3);
  const ImageSplit split = random_split(256, kImage, kClasses, 5);
  const Erm erm;
  const auto train_with = [&](std::int64_t batch) {
    TrainerSpec spec;
    spec.batch = batch;
    Trainer(network, erm, split, spec).run_step();
  };
  const std::string text = thrown_by([&] { train_with(256); }).text;
  CAPTURE(text);
  const std::string before = "; a batch of ", after = " instead of 256 would fit";
  const std::size_t begin = text.find(before), end_of_number = text.find(after);
  REQUIRE((begin != std::string::npos && end_of_number != std::string::npos));
  const std::int64_t fits =
      std::stoll(text.substr(begin + before.size(), end_of_number - begin - before.size()));
  CHECK(fits >= 16);
  train_with(fits);
  check_throws(ErrorKind::missing_package, "a batch of ",
               [&] { attacks::Evaluator(network, split, attacks::Pgd({.target = {}}), {.batch = 256}); });
}

TEST_CASE("device: where no batch would help, the error says what would") {
  MemoryLeft left{std::size_t{1} << 20, std::size_t{1} << 30};
  const Device device = device_behind<SmallBackend>(left);
  Network network(small_resnet(kImage, 8, kClasses), device);
  network.initialize(3);
  const ImageSplit split = random_split(256, kImage, kClasses, 5);
  const Erm erm;
  const auto train = [&] {
    Trainer(network, erm, split, {.batch = 256, .optimizer = {}, .schedule = {}, .augmentation = {}});
  };
  check_throws(ErrorKind::missing_package, "1 GiB are free in smaller ones; ", train);
  CHECK(thrown_by(train).text.find("would fit") == std::string::npos);
  left = {std::size_t{1} << 14, std::size_t{1} << 14};
  check_throws(ErrorKind::missing_package,
               "split '" + split.name + "' stays there with all its 256 images; fewer or smaller ones",
               train);
}

}  // namespace inocula::test
