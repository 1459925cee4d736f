// Element-wise work on activations: scale, shift, residual sum and ReLU forward, and their gradient.
//
// Batch normalisation's last step, ReLU, residual addition and the input's normalisation are all one map
// y = relu(scale[c] x + shift[c] + residual), so they are one kernel; so is their gradient. Sign bits are
// those of the value as it is stored: rounding keeps a sign but for what is too small for bf16 and becomes 0.
#pragma once

#include <cstdint>

#include "kernels/planes.h"

namespace inocula {

enum class Activation : std::int32_t { none, relu };

/// affine: y = act(scale[c] x + shift[c] + residual). Element i is positive exactly where bit i % 8 of
/// positive[i / 8] is set. Padding channels of y become 0 (with null scale and shift x's zeros pass through).
struct Affine {
  const void* x = nullptr;
  const float* scale = nullptr;      ///< (blocks * block), zero in the padding; null means 1
  const float* shift = nullptr;      ///< (blocks * block), zero in the padding; null means 0
  const void* residual = nullptr;    ///< like x; may be null
  void* y = nullptr;                 ///< like x; may be x itself
  std::uint8_t* positive = nullptr;  ///< (size / 8, rounded up) sign bits of y; may be null
  PlaneShape shape;
  Activation activation = Activation::none;
};

/// pack_positive: the sign bits of y alone, for results of a vendor's fused convolution.
struct PackPositive {
  const void* y = nullptr;
  std::uint8_t* positive = nullptr;
  std::int64_t size = 0;
  Element element = Element::f32;  ///< of y
};

/// join_gradient: dx = (scale[c] dy + add) where `positive` is set, 0 elsewhere: the sum of the gradients
/// that reach a value, masked by the ReLU that made the value.
struct JoinGradient {
  const void* dy = nullptr;
  const float* scale = nullptr;            ///< null means 1
  const void* add = nullptr;               ///< like dy; may be null
  const std::uint8_t* positive = nullptr;  ///< null means all set
  void* dx = nullptr;                      ///< like dy; may be dy or add itself
  PlaneShape shape;
};

}  // namespace inocula
