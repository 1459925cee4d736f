// Lays a pass of a convolution out for AMX: which planes, which steps, where each output goes.
#pragma once

#include <vector>

#include "engine/backend.h"
#include "engine/backends/cpu/amx/amx.h"

namespace inocula::cpu {

enum class AmxDirection { forward, backward_data };

/// The pass of one convolution, with what its shape points to: it must stay where it is.
class AmxPass {
 public:
  /// `source` and `result` are what the pass reads and writes: x and y, or dy and dx. One group only.
  AmxPass(const ConvWindow& window, AmxDirection direction, const PlaneShape& source,
          const PlaneShape& result, int threads);
  AmxPass(const AmxPass&) = delete;
  AmxPass& operator=(const AmxPass&) = delete;

  const AmxShape& shape() const { return shape_; }
  /// Elements of the prepared weights.
  std::int64_t weights_size() const { return weights_size_; }

 private:
  struct Phase {
    std::vector<AmxPlane> planes;
    std::vector<AmxStep> steps;
    std::vector<AmxPosition> positions;
    std::int64_t records = 0, row_records = 0;
  };
  struct Tap;
  struct Taps;
  struct Family;

  Phase lay_out(const ConvWindow& window, const Taps& rows, const Taps& cols) const;

  AmxShape shape_;
  std::vector<Phase> phases_;
  std::vector<AmxPhase> views_;
  std::int64_t weights_size_ = 0;
};

}  // namespace inocula::cpu
