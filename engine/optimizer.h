// Parameter updates: SGD and Adam over one flat buffer, with their moments.
#pragma once

#include <string>
#include <vector>

#include "engine/network.h"
#include "engine/recorder.h"

namespace inocula {

enum class OptimizerKind { sgd, adam };

/// torch.optim.SGD (dampening 0) and torch.optim.Adam; weight decay is L2, added to the gradient, on every
/// parameter. The learning rate comes from the schedule.
struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::sgd;
  float momentum = 0.9f;  ///< sgd
  bool nesterov = false;  ///< sgd
  float decay = 0;
  float beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f;  ///< adam
};

class Optimizer {
 public:
  Optimizer(const OptimizerSpec& spec, Network& network);

  const OptimizerSpec& spec() const { return spec_; }
  /// Records one update from the gradient buffer.
  void record(Recorder& r, const Tensor& state);
  /// Moments, by name, each as long as the weights: part of a checkpoint.
  std::vector<std::pair<std::string, Buffer*>> moments();

 private:
  OptimizerSpec spec_;
  Network& network_;
  Buffer first_, second_;
};

}  // namespace inocula
