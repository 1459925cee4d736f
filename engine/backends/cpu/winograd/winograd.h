// Convolutions of 3x3 windows at stride 1 by Winograd's algorithm: shapes, arguments and the table of
// kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/queue.h"

namespace inocula::cpu {

/// F(m x m, 3x3) of m = 4, 7 or 8 outputs a side (tile.h).
enum class WinogradTile { f4, f7, f8 };

constexpr std::int64_t tile_outputs(WinogradTile t) {
  return t == WinogradTile::f4 ? 4 : t == WinogradTile::f7 ? 7 : 8;
}

/// Outputs of one product: what fills the registers of an instruction set whose floats come in `lanes`.
constexpr std::int64_t panel_channels(std::int64_t lanes) {
  return lanes == 16 ? 64 : 16;
}

/// Floats between the planes of two points, beyond their contents: planes that are a power of two apart would
/// all meet in a few sets of the first cache.
inline constexpr std::int64_t kPlanePadding = 16;

/// One pass: from activations of `in_blocks` blocks of channels to those of `out_blocks`, 3x3, stride 1.
struct WinogradShape {
  WinogradTile tile = WinogradTile::f7;
  std::int64_t lanes = 16;  ///< channels in a block, floats in a register
  std::int64_t batch = 0;
  std::int64_t in_blocks = 0, out_blocks = 0;
  std::int64_t in_h = 0, in_w = 0;
  std::int64_t out_h = 0, out_w = 0;
  std::int64_t pad_h = 0, pad_w = 0;  ///< zeros above and to the left of the input

  std::int64_t side() const { return tile_outputs(tile) + 2; }
  std::int64_t points() const { return side() * side(); }
  std::int64_t tile_rows() const { return (out_h + tile_outputs(tile) - 1) / tile_outputs(tile); }
  std::int64_t tile_cols() const { return (out_w + tile_outputs(tile) - 1) / tile_outputs(tile); }
  std::int64_t tiles() const { return batch * tile_rows() * tile_cols(); }
  std::int64_t in_channels() const { return in_blocks * lanes; }
  std::int64_t out_channels() const { return out_blocks * lanes; }
  std::int64_t panels() const { return (out_channels() + panel_channels(lanes) - 1) / panel_channels(lanes); }
  /// Floats from one point to the next of `tiles` tiles' data, of their outputs or gradient, and of one
  /// panel's products.
  std::int64_t in_plane(std::int64_t tiles) const { return tiles * in_channels() + kPlanePadding; }
  std::int64_t out_plane(std::int64_t tiles) const { return tiles * out_channels() + kPlanePadding; }
  std::int64_t panel_plane(std::int64_t tiles) const { return tiles * panel_channels(lanes) + kPlanePadding; }
  /// Of the gradient of one block of inputs, for one panel of outputs.
  std::int64_t gradient_plane() const { return panel_plane(lanes); }
  /// Floats of the transformed weights, and of their gradient.
  std::int64_t weights_size() const { return points() * in_channels() * out_channels(); }
};

/// How the work is cut: into blocks of tiles whose transformed data stay in a cache. Results do not depend on
/// it.
struct WinogradBlocking {
  std::int64_t tiles = 0;  ///< of a block
  bool shared = false;  ///< all threads work on one block, each for outputs of its own; else each has its own
};
WinogradBlocking choose_blocking(const WinogradShape& shape, int threads);
/// Of a gradient of weights, whose blocks all threads share.
struct WinogradGradientBlocking {
  std::int64_t tiles = 0;  ///< of a block
  /// For blocks that hold all tiles: a few filters at a time are finished at every point while a cache holds
  /// them.
  bool whole = false;
};
WinogradGradientBlocking choose_gradient_blocking(const WinogradShape& shape, int threads);

/// Floats of scratch that a call needs.
std::int64_t convolve_scratch(const WinogradShape& shape, const WinogradBlocking& blocking, int threads);
std::int64_t weight_gradient_scratch(const WinogradShape& shape, const WinogradGradientBlocking& blocking,
                                     int threads);

/// transform_weights: u = the transform of the filters.
struct WinogradWeights {
  const float* plain = nullptr;  ///< (outputs, inputs, 3, 3) of the forward convolution
  float* u = nullptr;            ///< weights_size() floats, aligned to 64 bytes
  WinogradShape shape;
  std::int64_t outputs = 0, inputs = 0;  ///< of the forward convolution, without those that fill blocks up
  /// Of backward-data: the shape's inputs are the forward convolution's outputs, and filters are turned
  /// round.
  bool transposed = false;
};

/// convolve: y = out_scale[o] (in_scale[i] x * weights) + bias[o] + add, then ReLU or the mask.
struct WinogradConvolve {
  const float* x = nullptr;  ///< (batch, in_blocks, in_h, in_w, lanes)
  const float* u = nullptr;
  const float* in_scale = nullptr;     ///< (in_channels); null means 1
  const float* out_scale = nullptr;    ///< (out_channels); null means 1
  const float* bias = nullptr;         ///< (out_channels); may be null
  const float* add = nullptr;          ///< like y; may be null
  const std::uint8_t* mask = nullptr;  ///< a bit an element of y, 0 where it becomes 0; may be null
  float* y = nullptr;                  ///< (batch, out_blocks, out_h, out_w, lanes)
  std::uint8_t* positive = nullptr;    ///< sign bits of y; may be null
  float* scratch = nullptr;
  WinogradShape shape;
  WinogradBlocking blocking;
  bool relu = false;
};

/// weight_gradient: dw[o][i] += the gradient of the filters. Tiles are summed in their order, whatever the
/// number of threads.
struct WinogradWeightGradient {
  const float* x = nullptr;   ///< (batch, in_blocks, in_h, in_w, lanes)
  const float* dy = nullptr;  ///< (batch, out_blocks, out_h, out_w, lanes)
  float* dw = nullptr;        ///< (outputs, inputs, 3, 3)
  float* scratch = nullptr;
  WinogradShape shape;
  WinogradGradientBlocking blocking;
  std::int64_t outputs = 0, inputs = 0;
};

struct WinogradKernels {
  const char* target = "";
  std::int64_t lanes = 0;
  void (*transform_weights)(const Queue&, const WinogradWeights&) = nullptr;
  void (*convolve)(const Queue&, const WinogradConvolve&) = nullptr;
  void (*weight_gradient)(const Queue&, const WinogradWeightGradient&) = nullptr;
};

/// Those for activations in blocks of so many channels, or null where this processor has none.
const WinogradKernels* find_winograd_kernels(std::int64_t lanes);

}  // namespace inocula::cpu
