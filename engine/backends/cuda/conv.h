// Convolutions on CUDA: cuDNN's channels-last plans between our own kernels.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/backends/cuda/cudnn.h"
#include "engine/known_convs.h"
#include "kernels/table.h"

namespace inocula::cuda {

/// Channels as they are stored: tensor cores want them eight at a time.
inline constexpr std::int64_t kChannelMultiple = 8;
inline std::int64_t stored_channels(std::int64_t channels) {
  return (channels + kChannelMultiple - 1) / kChannelMultiple * kChannelMultiple;
}

/// cuDNN's plans, each made once: epilogues of our own differ where the convolution is the same.
class PlanCache {
 public:
  PlanCache(Cudnn& cudnn, Admission admission) : cudnn_(cudnn), admission_(admission) {}

  /// Null where cuDNN has no engine for it.
  std::shared_ptr<Cudnn::Plan> find(const ConvProblem& problem);
  /// Throws Error (internal) there.
  std::shared_ptr<Cudnn::Plan> require(const ConvProblem& problem);

 private:
  Cudnn& cudnn_;
  Admission admission_;
  std::map<std::string, std::shared_ptr<Cudnn::Plan>> plans_;
};

/// Builds prepared convolutions, one for each description, and hands the same one out again.
class ConvFactory {
 public:
  ConvFactory(const KernelTable& kernels, Cudnn& cudnn, Admission admission)
      : kernels_(kernels), plans_(cudnn, admission) {}

  /// Each throws Error (internal) where cuDNN has no engine for it, and (usage) where the groups do not fit
  /// the layout.
  std::shared_ptr<PreparedConv> forward(const ConvGeometry& g, const ConvEpilogue& e);
  std::shared_ptr<PreparedConv> backward_data(const ConvGeometry& g, const GradientEpilogue& e);
  std::shared_ptr<PreparedConv> backward_weights(const ConvGeometry& g);

  std::vector<ConvChoice> choices() const { return known_.choices(); }

 private:
  const KernelTable& kernels_;
  PlanCache plans_;
  KnownConvs known_;
};

}  // namespace inocula::cuda
