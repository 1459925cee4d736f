// Training steps of every optimizer against torch's formulas over the reference's gradients.
#include "engine/optimizer.h"

#include <cmath>
#include <map>

#include "engine/objectives/erm.h"
#include "engine/shuffle.h"
#include "engine/trainer.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using Arrays = std::map<std::string, std::vector<double>>;

/// torch.optim.SGD and torch.optim.Adam in double.
class SlowOptimizer {
 public:
  explicit SlowOptimizer(const OptimizerSpec& spec) : spec_(spec) {}

  void step(Arrays& weights, const Arrays& gradients, double rate) {
    count_ += 1;
    for (auto& [name, w] : weights) {
      std::vector<double>&first = first_[name], &second = second_[name];
      first.resize(w.size());
      second.resize(w.size());
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double g = gradients.at(name)[i] + spec_.decay * w[i];
        w[i] -= rate * (spec_.kind == OptimizerKind::sgd ? sgd(g, first[i]) : adam(g, first[i], second[i]));
      }
    }
  }

 private:
  double sgd(double g, double& velocity) const {
    velocity = spec_.momentum * velocity + g;
    return spec_.nesterov ? g + spec_.momentum * velocity : velocity;
  }
  double adam(double g, double& mean, double& square) const {
    mean = spec_.beta1 * mean + (1 - spec_.beta1) * g;
    square = spec_.beta2 * square + (1 - spec_.beta2) * g * g;
    const double m = mean / (1 - std::pow(spec_.beta1, count_)),
                 v = square / (1 - std::pow(spec_.beta2, count_));
    return m / (std::sqrt(v) + spec_.eps);
  }

  OptimizerSpec spec_;
  int count_ = 0;
  Arrays first_, second_;
};

/// One image of a split as the engine sees it: channels first, in [0, 1].
void append_image(const ImageSplit& split, std::int32_t index, std::vector<double>& images) {
  const std::uint8_t* from = split.pixels.data() + index * split.image_bytes();
  for (std::int64_t c = 0; c < split.channels; ++c)
    for (std::int64_t p = 0; p < split.height * split.width; ++p)
      images.push_back(static_cast<double>(static_cast<float>(from[p * split.channels + c]) / 255.0f));
}

}  // namespace

TEST_CASE("optimizer: several steps follow torch's formulas, and so do the running statistics") {
  // Errors of the weights' change. Adam divides each gradient by its own size: the smallest ones are all
  // rounding.
  constexpr double kSgdBound = 1e-3, kAdamBound = 5e-3, kStatisticsBound = 1e-4;
  constexpr int kSteps = 5;
  const std::vector<std::pair<std::string, OptimizerSpec>> specs = {
      {"sgd", {.momentum = 0}},
      {"sgd, decay", {.momentum = 0, .decay = 0.1f}},
      {"sgd, momentum, decay", {.momentum = 0.9f, .decay = 5e-2f}},
      {"sgd, nesterov", {.momentum = 0.8f, .nesterov = true, .decay = 1e-2f}},
      {"adam", {.kind = OptimizerKind::adam}},
      {"adam, decay",
       {.kind = OptimizerKind::adam, .decay = 0.1f, .beta1 = 0.7f, .beta2 = 0.95f, .eps = 1e-4f}},
  };
  const Shape image{1, 2, 8, 7};
  for (const bool deep : {false, true})
    for (const auto& [name, optimizer] : specs) {
      CAPTURE(name);
      CAPTURE(deep);
      Network network(deep ? small_resnet(image, 3, 3) : tiny_graph(image, 5, 3), precise_cpu());
      randomize(network, 31);
      Reference reference(network);
      const Arrays start = reference.weights();
      const ImageSplit split = random_split(16, image, 3, 32);
      const Erm objective;
      const double peak = optimizer.kind == OptimizerKind::adam ? 1e-3 : 1e-2;
      Trainer trainer(network, objective, split,
                      {.epochs = 3,
                       .batch = 8,
                       .optimizer = optimizer,
                       .schedule = {.kind = ScheduleKind::cosine, .peak = peak, .milestones = {}},
                       .augmentation = {},
                       .seed = 33});
      SlowOptimizer slow(optimizer);
      std::vector<std::int32_t> order(16);
      double loss = 0;
      std::uint64_t correct = 0;
      for (int step = 0; step < kSteps; ++step) {
        inocula::shuffle(33, static_cast<std::uint32_t>(step / 2), order);
        std::vector<double> images;
        std::vector<std::int32_t> label;
        for (int i = 0; i < 8; ++i) {
          const std::int32_t index = order[static_cast<std::size_t>(step % 2 * 8 + i)];
          append_image(split, index, images);
          label.push_back(split.labels[static_cast<std::size_t>(index)]);
        }
        const ReferenceTrace trace = reference.forward(images, NormMode::batch);
        const ReferenceLoss ce = reference_softmax_ce(trace.logits(), label, Reduction::mean);
        for (std::size_t i = 0; i < label.size(); ++i) {
          loss += ce.loss[i];
          const auto row = trace.logits().begin() + static_cast<std::ptrdiff_t>(3 * i);
          correct += std::max_element(row, row + 3) - row == label[i] ? 1 : 0;
        }
        const double rate = peak * 0.5 * (1 + std::cos(3.14159265358979323846 * step / 6));
        CHECK(trainer.next_learning_rate() == doctest::Approx(rate).epsilon(1e-12));
        slow.step(reference.weights(), reference.backward(trace, ce.dlogits).weights, rate);
        trainer.run_step();
      }
      double error = 0, change = 0;
      for (const auto& [parameter, expected] : reference.weights()) {
        const std::vector<float> actual = find_weight(network, parameter);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
          change += (expected[i] - start.at(parameter)[i]) * (expected[i] - start.at(parameter)[i]);
        }
      }
      CHECK(std::sqrt(error / change) <= (optimizer.kind == OptimizerKind::adam ? kAdamBound : kSgdBound));
      const std::vector<float> statistics = all_statistics(network);
      for (const auto& [parameter, expected] : reference.statistics()) {
        CAPTURE(parameter);
        const ParameterEntry& entry = network.parameters().statistics.find(parameter);
        const auto first = statistics.begin() + entry.offset;
        CHECK(relative_error({first, first + entry.count}, expected) <= kStatisticsBound);
      }
      CHECK(network.parameters().batches_tracked == kSteps);
      const TrainingTally tally = trainer.tally();
      CHECK(tally.seen == 8 * kSteps);
      CHECK(tally.correct == correct);
      CHECK(tally.loss == doctest::Approx(loss).epsilon(1e-4));
    }
}

TEST_CASE("optimizer: the gaps between parameters stay zero") {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam}) {
    Network network(small_resnet({1, 1, 6, 6}, 3, 2), cpu());
    network.initialize(1);
    const ImageSplit split = random_split(4, {1, 1, 6, 6}, 2, 1);
    const Erm objective;
    Trainer trainer(network, objective, split,
                    {.epochs = 3,
                     .batch = 4,
                     .optimizer = {.kind = kind, .decay = 0.1f},
                     .schedule = {.milestones = {}},
                     .augmentation = {},
                     .seed = 1});
    while (!trainer.done()) trainer.run_step();
    std::vector<float> weights = all_weights(network);
    for (const ParameterEntry& entry : network.parameters().weights.entries())
      std::fill_n(weights.begin() + entry.offset, entry.count, 0.0f);
    CHECK(std::count(weights.begin(), weights.end(), 0.0f) == static_cast<std::ptrdiff_t>(weights.size()));
    CHECK(network.parameters().weights.extent() > network.parameters().weights.count());  // there are gaps
  }
}

TEST_CASE("optimizer: settings that make no sense are refused") {
  Network network(tiny_graph({1, 1, 4, 4}, 2, 2), cpu());
  const auto refuse = [&](const OptimizerSpec& spec, const char* part) {
    check_throws(ErrorKind::usage, part, [&] { Optimizer optimizer(spec, network); });
  };
  refuse({.momentum = 1}, "momentum is 1, expected a number in [0, 1)");
  refuse({.momentum = -0.1f}, "momentum is -0.1");
  refuse({.momentum = std::nanf("")}, "momentum is nan");
  refuse({.momentum = 0, .nesterov = true}, "nesterov needs a momentum");
  refuse({.decay = -1}, "weight decay is -1");
  refuse({.decay = std::nanf("")}, "weight decay is nan");
  refuse({.decay = std::numeric_limits<float>::infinity()}, "weight decay is inf");
  refuse({.kind = OptimizerKind::adam, .beta1 = 1}, "beta1 is 1");
  refuse({.kind = OptimizerKind::adam, .beta2 = 1.5f}, "beta2 is 1.5");
}

}  // namespace inocula::test
