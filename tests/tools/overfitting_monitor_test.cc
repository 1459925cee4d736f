// The monitor against networks whose accuracy is known, and what it leaves alone.
#include "tools/overfitting_monitor.h"

#include <algorithm>

#include "attacks/clean.h"
#include "engine/shuffle.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

const Shape kImage{1, 1, 8, 8};
constexpr std::int64_t kClasses = 3, kImages = OverfittingMonitor::kMostImages + 40;
constexpr std::uint64_t kSeed = 6;
/// Too small a ball to change what a random network says.
constexpr Ball kTiny{attacks::Norm::linf, 1e-7};

/// A network with batch norm, and images with the labels that it gives them itself.
struct Subject {
  Subject()
      : network(small_resnet(kImage, 3, kClasses), cpu()), split(random_split(kImages, kImage, kClasses, 5)) {
    randomize(network, 3);
    const attacks::Evaluation e =
        attacks::Evaluator(network, split, attacks::Clean{}, attacks::EvaluatorSpec{}).run();
    split.labels = attacks::argmax_rows(e.logits, kClasses);
  }

  /// Turns every logit around, so that the class said is never the one that was said before.
  void turn_around() {
    for (const char* name : {"fc.weight", "fc.bias"}) {
      std::vector<float> values = find_weight(network, name);
      for (float& v : values) v = -v;
      set_weight(network, name, values);
    }
  }

  Network network;
  ImageSplit split;
};

}  // namespace

TEST_CASE("overfitting: a fall of more than 20 points is one, of exactly 20 none") {
  CHECK(!overfits(0.9, 0.7));
  CHECK(!overfits(0.6, 0.4));
  CHECK(overfits(0.9, 0.69));
  CHECK(overfits(92 / 128.0, 66 / 128.0));
  CHECK(!overfits(92 / 128.0, 67 / 128.0));
  CHECK(!overfits(0.2, 0.9));
  CHECK(!overfits(0.5, 0.5));
}

TEST_CASE("overfitting: the monitor notices a network that collapses, and changes nothing itself") {
  Subject s;
  OverfittingMonitor monitor(s.network, s.split, kTiny, kSeed);
  const std::vector<float> weights = all_weights(s.network), statistics = all_statistics(s.network);
  const double before = monitor.measure();
  CHECK(before == 1);
  CHECK(monitor.measure() == before);
  CHECK(same_bits(all_weights(s.network), weights));
  CHECK(same_bits(all_statistics(s.network), statistics));
  CHECK(s.network.parameters().batches_tracked == 0);
  s.turn_around();
  const double after = monitor.measure();
  CHECK(after == 0);
  CHECK(overfits(before, after));
}

TEST_CASE("overfitting: what is measured is accuracy under attack, in either ball") {
  Subject s;
  for (const Ball& ball : {Ball{attacks::Norm::linf, 0.5}, Ball{attacks::Norm::l2, 10}})
    CHECK(OverfittingMonitor(s.network, s.split, ball, kSeed).measure() < 0.9);
}

TEST_CASE("overfitting: the batch is the beginning of the first epoch's order") {
  Subject s;
  std::vector<std::int32_t> order(static_cast<std::size_t>(kImages));
  inocula::shuffle(kSeed, 0, order);
  const auto spoil = [&](std::size_t first, std::size_t last) {
    ImageSplit spoilt = s.split;
    for (std::size_t i = first; i < last; ++i) {
      std::int32_t& label = spoilt.labels[static_cast<std::size_t>(order[i])];
      label = (label + 1) % static_cast<std::int32_t>(kClasses);
    }
    return OverfittingMonitor(s.network, spoilt, kTiny, kSeed).measure();
  };
  CHECK(spoil(OverfittingMonitor::kMostImages, order.size()) == 1);
  CHECK(spoil(0, 32) == 0.75);
  CHECK(spoil(OverfittingMonitor::kMostImages - 32, OverfittingMonitor::kMostImages) == 0.75);

  ImageSplit few = s.split;
  few.count = 10;
  few.pixels.resize(static_cast<std::size_t>(few.count * few.image_bytes()));
  few.labels.resize(10);
  few.labels[3] = (few.labels[3] + 1) % static_cast<std::int32_t>(kClasses);
  CHECK(OverfittingMonitor(s.network, few, kTiny, kSeed).measure() == doctest::Approx(0.9));
}

TEST_CASE("overfitting: a network's numbers are kept and put back to the bit, and another's are refused") {
  Subject s;
  s.network.parameters().batches_tracked = 17;
  const NetworkNumbers kept = numbers_of(s.network);
  const std::vector<float> weights = all_weights(s.network), statistics = all_statistics(s.network);
  randomize(s.network, 8);
  s.network.parameters().batches_tracked = 99;
  NetworkNumbers other = kept;
  other.weights.pop_back();
  check_throws(ErrorKind::bad_data, "kept network: ", [&] { put_numbers(s.network, other); });
  CHECK(!same_bits(all_weights(s.network), weights));
  put_numbers(s.network, kept);
  CHECK(same_bits(all_weights(s.network), weights));
  CHECK(same_bits(all_statistics(s.network), statistics));
  CHECK(s.network.parameters().batches_tracked == 17);
}

}  // namespace inocula::test
