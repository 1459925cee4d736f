// Parameter updates over one flat buffer, with PyTorch's conventions.
#pragma once

#include <cstdint>

#include "kernels/element.h"
#include "kernels/step_state.h"

namespace inocula {

/// sgd: g <- g + decay p; v <- momentum v + g; p <- p - lr (nesterov ? g + momentum v : v). torch.optim.SGD
/// with dampening 0; velocity starts at 0. The learning rate is state->learning_rate.
struct Sgd {
  float* param = nullptr;
  const float* gradient = nullptr;
  float* velocity = nullptr;  ///< null where momentum is 0
  const StepState* state = nullptr;
  std::int64_t size = 0;
  float momentum = 0;
  float decay = 0;
  std::int32_t nesterov = 0;
};

/// adam: torch.optim.Adam: g <- g + decay p; m, v running means; p <- p - lr / c1 * m / (sqrt(v / c2) + eps),
/// the corrections c1, c2 from `state`. Kingma and Ba, ICLR 2015.
struct Adam {
  float* param = nullptr;
  const float* gradient = nullptr;
  float* mean = nullptr;
  float* variance = nullptr;
  const StepState* state = nullptr;
  std::int64_t size = 0;
  float beta1 = 0.9f, beta2 = 0.999f;
  float eps = 1e-8f;
  float decay = 0;
};

/// fill: every element becomes `value`.
struct Fill {
  void* to = nullptr;
  std::int64_t size = 0;
  float value = 0;
  Element element = Element::f32;  ///< of `to`
};

/// scale_rows: to[r][i] = from[r][i] scale[r]: a convolution's weights with the frozen norm's scale folded
/// in.
struct ScaleRows {
  const float* from = nullptr;
  const float* scale = nullptr;  ///< (rows)
  float* to = nullptr;
  std::int64_t rows = 0, cols = 0;
};

}  // namespace inocula
