// The fully connected layer: forward, gradient of the input, gradient of the parameters.
//
// Sums follow the fixed tree of for_each.h: a sample's result does not depend on the batch it is in.
#pragma once

#include <cstdint>

namespace inocula {

/// linear_forward: y = x w^T + b.
struct LinearForward {
  const float* x = nullptr;     ///< (rows, in)
  const float* w = nullptr;     ///< (out, in)
  const float* bias = nullptr;  ///< (out); may be null
  float* y = nullptr;           ///< (rows, out)
  std::int64_t rows = 0, in = 0, out = 0;
};

/// linear_backward_data: dx = dy w.
struct LinearBackwardData {
  const float* dy = nullptr;  ///< (rows, out)
  const float* w = nullptr;   ///< (out, in)
  float* dx = nullptr;        ///< (rows, in)
  std::int64_t rows = 0, in = 0, out = 0;
};

/// linear_backward_params: dw += dy^T x, dbias += column sums of dy.
struct LinearBackwardParams {
  const float* x = nullptr;
  const float* dy = nullptr;
  float* dw = nullptr;
  float* dbias = nullptr;  ///< may be null
  std::int64_t rows = 0, in = 0, out = 0;
};

}  // namespace inocula
