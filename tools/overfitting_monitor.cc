// A small evaluation at the end of an epoch.
#include "tools/overfitting_monitor.h"

#include <algorithm>

#include "attacks/pgd.h"
#include "engine/error.h"
#include "engine/shuffle.h"

namespace inocula {

namespace {

constexpr double kMostFall = 0.2;
/// Accuracies are quotients, and a fall of exactly the most is none.
constexpr double kRounding = 1e-9;

std::vector<float> downloaded(const Buffer& buffer) {
  std::vector<float> values(buffer.bytes() / sizeof(float));
  buffer.download(values.data(), values.size());
  return values;
}

ImageSplit fixed_batch(const ImageSplit& train, std::uint64_t seed) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(train.count));
  shuffle(seed, 0, order);
  ImageSplit batch{train.name,
                   std::min(train.count, OverfittingMonitor::kMostImages),
                   train.height,
                   train.width,
                   train.channels,
                   {},
                   {},
                   train.label_columns};
  for (std::int64_t i = 0; i < batch.count; ++i) {
    const std::int64_t image = order[static_cast<std::size_t>(i)];
    const auto first = train.pixels.begin() + image * train.image_bytes();
    batch.pixels.insert(batch.pixels.end(), first, first + train.image_bytes());
    const auto labels = train.labels_of(image);
    batch.labels.insert(batch.labels.end(), labels.begin(), labels.end());
  }
  return batch;
}

attacks::Pgd attack_in(const Ball& ball) {
  attacks::PgdSpec p;
  p.norm = ball.norm;
  p.eps = ball.eps;
  p.alpha = ball.eps / (ball.norm == attacks::Norm::linf ? 4 : 5);
  p.steps = OverfittingMonitor::kSteps;
  return attacks::Pgd(p);
}

}  // namespace

NetworkNumbers numbers_of(const Network& network) {
  const ParameterStore& p = network.parameters();
  return {downloaded(p.values), downloaded(p.running), p.batches_tracked};
}

void put_numbers(Network& network, const NetworkNumbers& n) {
  ParameterStore& p = network.parameters();
  const std::size_t weights = p.values.bytes() / sizeof(float),
                    statistics = p.running.bytes() / sizeof(float);
  if (n.weights.size() != weights || n.running_statistics.size() != statistics)
    fail(ErrorKind::bad_data, "kept network: ", n.weights.size(), " weights and ",
         n.running_statistics.size(), " running statistics, expected ", weights, " and ", statistics);
  p.values.upload(n.weights.data(), weights);
  p.running.upload(n.running_statistics.data(), statistics);
  p.batches_tracked = n.batches_tracked;
}

bool overfits(double accuracy_before, double accuracy_now) {
  return accuracy_before - accuracy_now > kMostFall + kRounding;
}

OverfittingMonitor::OverfittingMonitor(Network& network, const ImageSplit& train, const Ball& ball,
                                       std::uint64_t seed)
    : evaluator_(network, fixed_batch(train, seed), attack_in(ball), {.seed = seed}) {}

double OverfittingMonitor::measure() {
  return attacks::judge_robustness(evaluator_.run()).robust_accuracy;
}

}  // namespace inocula
