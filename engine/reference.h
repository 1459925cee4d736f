// A network interpreted in double precision by plain loops: the slow truth that every device is compared
// with.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/network.h"
#include "engine/norm_mode.h"

namespace inocula {

/// What one forward pass computed, and its backward pass needs.
struct ReferenceTrace {
  struct Norm {
    std::vector<double> mean, rstd;  ///< (C) each: statistics that a batch norm used
  };
  std::int64_t batch = 0;
  NormMode mode = NormMode::frozen;
  std::vector<std::vector<double>> values;  ///< by node: plain (N, C, H, W)
  std::map<Value, Norm> norms;              ///< by batch norm node

  /// The last node's value, (N, classes) for a classifier.
  const std::vector<double>& logits() const { return values.back(); }
};

struct ReferenceGradients {
  std::vector<double> images;                          ///< (N, C, H, W)
  std::map<std::string, std::vector<double>> weights;  ///< by parameter name, shaped as the parameters
};

/// Weights and running statistics by name, and the passes of a graph over them. Every operation has the
/// meaning that engine/graph.h gives it; the derivative of ReLU at 0 is 0.
class Reference {
 public:
  /// Copies the graph and the numbers of a network, from whatever device they are on.
  explicit Reference(const Network& network);

  std::map<std::string, std::vector<double>>& weights() { return weights_; }
  std::map<std::string, std::vector<double>>& statistics() { return statistics_; }

  /// `images`: plain (N, C, H, W) in [0, 1], any N. NormMode::batch updates the running statistics. Throws
  /// Error (usage) where the numbers are not whole images.
  ReferenceTrace forward(std::span<const double> images, NormMode mode);
  /// Gradients of a loss whose gradient with respect to the last node's value is `dlogits`.
  ReferenceGradients backward(const ReferenceTrace& trace, std::span<const double> dlogits) const;
  /// w <- w - rate (dw + decay w).
  void sgd_step(const ReferenceGradients& gradients, double rate, double decay = 0);

 private:
  ReferenceTrace::Norm norm_statistics(Value v, const ReferenceTrace& trace);

  Graph graph_;
  std::map<std::string, std::vector<double>> weights_, statistics_;
};

struct ReferenceLoss {
  std::vector<double> loss;     ///< (N): logsumexp(z) - z_label
  std::vector<double> dlogits;  ///< (N, classes): gradient of the reduced loss
};

/// What becomes of the losses of a batch: their sum for attacks, their mean for training.
enum class Reduction { sum, mean };

/// Softmax cross-entropy of (N, classes) logits against N labels. The true class's gradient is the negative
/// sum of the others', as in kernels/softmax_ce.h. Throws Error (usage) where sizes or labels do not fit.
ReferenceLoss reference_softmax_ce(std::span<const double> logits, std::span<const std::int32_t> label,
                                   Reduction reduction);

}  // namespace inocula
