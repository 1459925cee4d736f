// A network's numbers: one flat buffer of weights, one of their gradients, one of running statistics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/device.h"

namespace inocula {

/// One named array inside a flat buffer. Entries start at multiples of 16 floats; the gaps are zero and stay
/// zero, so that kernels may read a channel vector to the end of its last block.
struct ParameterEntry {
  std::string name;                 ///< PyTorch's: "layer1.0.conv1.weight"
  std::vector<std::int64_t> shape;  ///< PyTorch's: convolutions (out, in / groups, kernel_h, kernel_w)
  std::int64_t offset = 0;          ///< in floats
  std::int64_t count = 0;           ///< in floats, without the gap
};

/// Named arrays in the order of their making.
class ParameterLayout {
 public:
  const ParameterEntry& add(std::string name, std::vector<std::int64_t> shape);
  const std::vector<ParameterEntry>& entries() const { return entries_; }
  /// Throws Error (internal) where there is none of that name.
  const ParameterEntry& find(const std::string& name) const;
  /// Floats in the flat buffer, gaps included.
  std::int64_t extent() const { return extent_; }
  /// Floats without gaps.
  std::int64_t count() const;

 private:
  std::vector<ParameterEntry> entries_;
  std::int64_t extent_ = 0;
};

/// The buffers on a device. Their addresses never change while Programs refer to them.
struct ParameterStore {
  ParameterLayout weights;     ///< trained: in `values`, with `gradients` alike
  ParameterLayout statistics;  ///< running means and variances: in `running`
  Buffer values, gradients, running;
  std::int64_t batches_tracked = 0;  ///< training batches that the running statistics have seen

  void allocate(const Device& device);
};

}  // namespace inocula
