// Adversarial training by hand: the batches that a trainer takes, and comparisons of its state and its
// numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/trainer.h"
#include "tests/engine/harness.h"

namespace inocula::test {

/// Convolution, batch norm, ReLU, pooling, linear: deep enough for statistics of the batch, and so well
/// conditioned that the signs of its gradients are those of double precision.
Graph graph_by_hand(const Shape& image, std::int64_t classes);

/// A batch of a run without augmentation.
struct BatchByHand {
  std::vector<std::int32_t> sample, label;
  std::vector<double> clean;  ///< (N, C, H, W)
};

/// Batch number `batch` of the run.
BatchByHand batch_by_hand(const ImageSplit& split, const TrainerSpec& spec, std::int64_t batch);

/// -1, 0 or 1.
double sign_of(double v);

/// An array of the trainer's state.
std::vector<float> state_array(const Trainer& trainer, const std::string& name);

/// Whether every array, counter and sum of two states is the same to the bit.
bool same_state(const TrainerState& a, const TrainerState& b);

/// Largest relative error among the network's weights, and among its running statistics.
double worst_weight_error(const Network& network, Reference& reference);
double worst_statistics_error(const Network& network, Reference& reference);

}  // namespace inocula::test
