// Watching adversarial training for catastrophic overfitting: the accuracy under PGD of one batch of its
// images.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "attacks/evaluate.h"
#include "engine/network.h"
#include "tools/method.h"

namespace inocula {

/// A network's numbers at one moment.
struct NetworkNumbers {
  std::vector<float> weights, running_statistics;
  std::int64_t batches_tracked = 0;
};
NetworkNumbers numbers_of(const Network& network);
/// Throws Error (bad_data) where they are not of this network; it is then as it was.
void put_numbers(Network& network, const NetworkNumbers& numbers);

/// What is remembered from epoch to epoch: part of a checkpoint.
struct OverfittingState {
  std::optional<double> accuracy;  ///< OverfittingMonitor::measure after the latest epoch
  std::optional<NetworkNumbers>
      unharmed;          ///< after the latest epoch that did not overfit; if it is to be kept
  bool stopped = false;  ///< training came to its end because it overfits
};

/// Whether robust accuracy fell by more than 20 points from one epoch to the next: the sign by which Wong,
/// Rice and Kolter ("Fast is better than free", ICLR 2020) stop.
bool overfits(double accuracy_before, double accuracy_now);

class OverfittingMonitor {
 public:
  /// The images are the first of the first epoch's order, a function of the seed: as many as the authors'
  /// minibatch has, or all where there are fewer.
  static constexpr std::int64_t kMostImages = 128;
  static constexpr std::int64_t kSteps = 5;

  /// PGD in the ball that is trained against, steps of a quarter of its radius (the authors' 2/255 at 8/255;
  /// L2: a fifth), one random start, always the same.
  OverfittingMonitor(Network& network, const ImageSplit& train, const Ball& ball, std::uint64_t seed);

  /// The share of the images, or of their labels, that the network gets right before and after the attack,
  /// with frozen statistics. Changes nothing.
  double measure();
  Footprint footprint() { return evaluator_.program().footprint(); }

 private:
  attacks::Evaluator evaluator_;
};

}  // namespace inocula
