// Whole steps: standard and adversarial training, evaluation under attack; images a second, and what is lost
// beside the convolutions.
//
// images/s counts images of the batch, gradient_images/s every gradient that was taken of one, by the attack
// or for the parameters. over_convolutions is a step's time over that of its convolutions, each timed alone
// right afterwards (bench/watched_backend.h; on the CPU). arena_MiB is what the step's Program keeps in
// memory beside the parameters.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include "attacks/evaluate.h"
#include "attacks/pgd.h"
#include "bench/networks.h"
#include "bench/suite.h"
#include "bench/watched_backend.h"
#include "engine/objectives/adversarial.h"
#include "engine/objectives/erm.h"
#include "engine/trainer.h"
#include "io/synthetic.h"

namespace inocula::bench {

namespace {

enum class StepKind { standard, pgd7, evaluation };

struct StepCase {
  const char* name;
  StepKind kind;
  std::int64_t attack_steps;

  /// Gradients taken of each image.
  double gradients() const {
    return static_cast<double>(attack_steps + (kind == StepKind::evaluation ? 0 : 1));
  }
  /// Forward passes' worth of work, a backward half counting as one: an attack's steps take two, training
  /// three, and an evaluation passes the clean and the perturbed images once more.
  double forwards() const {
    return static_cast<double>(2 * attack_steps + (kind == StepKind::evaluation ? 2 : 3));
  }
};

constexpr StepCase kSteps[] = {
    {"standard", StepKind::standard, 0},
    {"pgd-7", StepKind::pgd7, 7},
    {"evaluation_pgd-20", StepKind::evaluation, 20},
};

struct StepBench {
  StepCase step;
  BenchNetwork network;
  std::int64_t batch;
  Precision precision;

  std::string name() const {
    return std::string("step/") + step.name + "/" + network.model + "/batch" + std::to_string(network.batch) +
           "/" + (precision == Precision::fp32 ? "fp32" : "bf16");
  }
};

/// A step with everything that it needs.
class BoundStep {
 public:
  BoundStep(const Device& device, const StepBench& b)
      : network_(b.network.graph(), device, b.precision),
        images_(
            synthesize({.kind = SyntheticKind::chest, .count = 3 * b.batch + 10, .size = b.network.image.h})
                .train) {
    network_.initialize(0);
    attacks::PgdSpec spec;
    spec.steps = std::max<std::int64_t>(b.step.attack_steps, 1);
    attack_ = std::make_unique<attacks::Pgd>(spec);
    if (b.step.kind == StepKind::evaluation) {
      evaluator_ = std::make_unique<attacks::Evaluator>(
          network_, images_, *attack_, attacks::EvaluatorSpec{.batch = b.batch, .limit = b.batch});
      return;
    }
    if (b.step.kind == StepKind::standard)
      objective_ = std::make_unique<Erm>();
    else
      objective_ = std::make_unique<AdversarialTraining>("pgd", *attack_, NormMode::frozen, 0);
    TrainerSpec training;
    training.batch = b.batch;
    training.epochs = 1'000'000;  // more than anyone waits for
    training.schedule.peak = 1e-3;
    trainer_ = std::make_unique<Trainer>(network_, *objective_, images_, training);
  }

  void run() { evaluator_ ? static_cast<void>(evaluator_->run()) : trainer_->run_step(); }
  double arena_mebibytes() {
    Program& program = evaluator_ ? evaluator_->program() : trainer_->program();
    return static_cast<double>(program.footprint().arena_bytes) / (1 << 20);
  }
  double multiply_adds() const { return network_.graph().multiply_adds(); }

 private:
  Network network_;
  ImageSplit images_;
  std::unique_ptr<attacks::Pgd> attack_;
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<attacks::Evaluator> evaluator_;
};

/// Where steps run: the device as it is, or on the CPU a watched one; one step is in memory at a time.
class Bench {
 public:
  explicit Bench(Suite& suite) : suite_(suite), cpu_(suite.device.name() == "cpu") {
    if (cpu_) watched_ = std::make_unique<Device>(watched_device(suite.device, watch_));
  }

  const Device& device() const { return cpu_ ? *watched_ : suite_.device; }
  void run(benchmark::State& state, const StepBench& b);

 private:
  double over_convolutions();
  double seconds_of_step();

  Suite& suite_;
  bool cpu_;
  ConvolutionWatch watch_;
  std::unique_ptr<Device> watched_;
  std::string name_;  ///< of step_
  std::unique_ptr<BoundStep> step_;
};

double Bench::seconds_of_step() {
  const auto begin = std::chrono::steady_clock::now();
  step_->run();
  device().backend().synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Of two runs right after each other; repetitions of the benchmark give a median.
double Bench::over_convolutions() {
  const double whole = seconds_of_step();
  watch_ = {.watching = true};
  step_->run();
  watch_.watching = false;
  return whole / watch_.seconds;
}

void Bench::run(benchmark::State& state, const StepBench& b) {
  if (name_ != b.name()) {
    step_.reset();
    step_ = std::make_unique<BoundStep>(device(), b);
    name_ = b.name();
    step_->run();  // warms up
  }
  const double images = static_cast<double>(b.batch);
  const auto rate = [](double an_iteration) {
    return benchmark::Counter(an_iteration, benchmark::Counter::kIsIterationInvariantRate);
  };
  suite_.roofs.count_operations(state, 2 * step_->multiply_adds() * images * b.step.forwards());
  state.counters["images/s"] = rate(images);
  state.counters["gradient_images/s"] = rate(images * b.step.gradients());
  state.counters["arena_MiB"] = step_->arena_mebibytes();
  for (auto _ : state) {
    step_->run();
    device().backend().synchronize();
  }
  if (cpu_) state.counters["over_convolutions"] = over_convolutions();
}

void add_steps(Suite& suite) {
  const auto bench = std::make_shared<Bench>(suite);
  for (const BenchNetwork& network : kNetworks) {
    if (network.image.h != 28) continue;
    for (const StepCase& step : kSteps)
      for (const Precision precision : {Precision::fp32, Precision::bf16}) {
        if (!suite.device.backend().supports(precision)) continue;
        const std::int64_t batch = suite.extent == Extent::quick ? 4 : network.batch;
        const StepBench b{step, network, batch, precision};
        benchmark::RegisterBenchmark(b.name().c_str(),
                                     [bench, b](benchmark::State& state) { bench->run(state, b); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
  }
}

}  // namespace

}  // namespace inocula::bench

int main(int argc, char** argv) {
  return inocula::bench::run_suite(argc, argv, inocula::bench::add_steps);
}
