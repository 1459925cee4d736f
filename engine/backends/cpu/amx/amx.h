// Direct convolutions of bf16 activations by AMX's tile products: arguments and the table of kernels.
//
// A tile product takes 16 outputs by 16 channels, and of each 32 numbers of the source: a record. The source
// is copied into planes of records so that neighbouring outputs read neighbouring records, whatever the
// stride; every tap of a window is then the same plane, read some records further on. A row ends with the
// zeros that its last outputs and the next row's first ones want. Rows of several images take turns in a
// plane, so that small images fill tiles as well as large ones.
#pragma once

#include <cstdint>

#include "kernels/planes.h"
#include "kernels/queue.h"

namespace inocula::cpu {

inline constexpr std::int64_t kAmxRows = 16;     ///< outputs of a tile
inline constexpr std::int64_t kAmxColumns = 16;  ///< channels of a tile, and of half a record
inline constexpr std::int64_t kAmxRecord = 2 * kAmxColumns;
/// Elements of the weights of one step and one block of output channels.
inline constexpr std::int64_t kAmxPanel = kAmxRecord * kAmxColumns;

/// Half a record.
struct AmxHalf {
  std::int64_t block = -1;  ///< of kAmxColumns channels of the source; negative: zeros
  std::int64_t lead = 0;    ///< records by which it runs ahead of the other half
};

/// Every so many rows and columns of the source.
struct AmxPlane {
  std::int64_t row = 0, col = 0;  ///< of the source, for the plane's first
  std::int64_t rows = 0;
  std::int64_t at = 0;      ///< records before its first
  std::int64_t before = 0;  ///< records of zeros right before that
  AmxHalf half[2];
};

/// One tile product of every output: a plane, read from one of its records on.
struct AmxStep {
  std::int64_t at = 0;     ///< record of the first output
  std::int64_t plane = 0;  ///< index
  /// Of the window, row by row: what each half is multiplied by; negative: 0.
  std::int64_t tap[2] = {-1, -1};
};

inline constexpr std::int32_t kNoImage = 0x7fffffff;

/// One output in the order of the records.
struct AmxPosition {
  std::int32_t offset = 0;  ///< elements from the first image's first
  std::int32_t image = 0;   ///< of the group; kNoImage where a row's zeros are
};

/// Outputs that use the same taps: all of a forward pass, one of stride x stride of a backward one.
struct AmxPhase {
  std::int64_t row_records = 0;  ///< of every plane
  const AmxPlane* planes = nullptr;
  std::int64_t plane_count = 0;
  const AmxStep* steps = nullptr;
  std::int64_t step_count = 0;
  const AmxPosition* positions = nullptr;
  std::int64_t position_count = 0;
  std::int64_t weights = 0;  ///< elements before it
};

/// What both kernels know of a pass.
struct AmxShape {
  PlaneShape source, result;  ///< bf16, blocks of a multiple of kAmxColumns channels
  const AmxPhase* phases = nullptr;
  std::int64_t phase_count = 0;
  std::int64_t step_h = 1, step_w = 1;  ///< source rows and columns from one output to the next
  std::int64_t images = 1;              ///< of a group
  std::int64_t records = 0;             ///< of a group, with what a last tile may read beyond them
};

/// prepare_weights: to[phase][group of channels][step][block of channels][pair of inputs][channel][2].
struct AmxWeights {
  const float* plain = nullptr;  ///< (outputs, inputs, window_h, window_w)
  const float* scale = nullptr;  ///< (outputs), multiplied in; may be null
  Bf16* to = nullptr;
  std::int64_t outputs = 0, inputs = 0, window_h = 1, window_w = 1;
  bool transposed = false;  ///< for the backward pass: from outputs to inputs
  AmxShape shape;
};

/// convolve: y = scale[o] (x * weights) + bias[o] + add, then ReLU or the mask.
struct AmxConvolve {
  const Bf16* x = nullptr;
  const Bf16* weights = nullptr;
  const float* scale = nullptr;        ///< (channels of y, filled up); null means 1
  const float* bias = nullptr;         ///< (channels of y, filled up); may be null
  const Bf16* add = nullptr;           ///< like y; may be null
  const std::uint8_t* mask = nullptr;  ///< a bit an element of y, 0 where it becomes 0; may be null
  Bf16* y = nullptr;
  std::uint8_t* positive = nullptr;  ///< sign bits of y; may be null
  Bf16* scratch = nullptr;           ///< amx_scratch elements
  AmxShape shape;
  bool relu = false;
};

/// Elements of scratch, of one thread and of as many as have work.
inline std::int64_t amx_scratch(const AmxShape& s) {
  return s.records * kAmxRecord;
}
inline std::int64_t amx_scratch(const AmxShape& s, int threads) {
  const std::int64_t groups = (s.result.batch + s.images - 1) / s.images;
  return (groups < threads ? groups : threads) * amx_scratch(s);
}

struct AmxKernels {
  void (*prepare_weights)(const Queue&, const AmxWeights&) = nullptr;
  void (*convolve)(const Queue&, const AmxConvolve&) = nullptr;
};

/// Null where the processor has no AMX for bf16, or the system does not grant its registers.
const AmxKernels* find_amx_kernels();

}  // namespace inocula::cpu
