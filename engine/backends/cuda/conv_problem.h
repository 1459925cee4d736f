// One convolution as cuDNN is asked for it, without a word of cuDNN's.
#pragma once

#include <cstdint>
#include <string>

#include "engine/backend.h"

namespace inocula::cuda {

enum class ConvPass { forward, backward_data, backward_weights };

/// One convolution for cuDNN: channels-last activations of `element`, packed weights (O, taps, I / groups) of
/// `element`, weight gradients (O, taps, I / groups). Sums are in float.
struct ConvProblem {
  ConvPass pass = ConvPass::forward;
  Shape in, out;  ///< channels as they are stored, padding included
  ConvWindow window;
  std::int64_t groups = 1;
  Element element = Element::f32;
  Element weight_gradient = Element::f32;
  // What a forward pass fuses behind the products; sign bits are no business of cuDNN's.
  bool bias = false, residual = false, relu = false;

  bool fuses() const { return bias || residual || relu; }
  /// Whether a simpler problem and a pass of our own come to the same: no epilogue, or gradients in bf16.
  bool has_substitute() const {
    return fuses() || (pass == ConvPass::backward_weights && element == Element::bf16 &&
                       weight_gradient == Element::f32);
  }
  /// "forward of (8, 64, 28, 28) to (8, 64, 28, 28), 3x3, stride 1x1, f32, + bias + ReLU"
  std::string to_string() const;
};

/// Addresses of one execution; those that the pass does not use stay null.
struct ConvAddresses {
  const void* x = nullptr;
  const void* weights = nullptr;
  const void* bias = nullptr;  ///< floats
  const void* residual = nullptr;
  void* y = nullptr;
  const void* dy = nullptr;
  void* dx = nullptr;
  void* dw = nullptr;
};

}  // namespace inocula::cuda
