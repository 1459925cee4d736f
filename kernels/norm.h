// Batch normalisation: statistics of a batch or frozen ones, and the gradients of both.
//
// Ioffe and Szegedy, "Batch normalization", ICML 2015; PyTorch's conventions: variance biased in the
// normalisation and unbiased in the running estimate, running <- (1 - momentum) running + momentum batch.
// Sums run over a plane in float, over samples in double (Chan, Golub, LeVeque 1979), those of x as
// differences from the channel's first value: they depend neither on threads nor on the target, and a large
// mean costs no digits. The normalised value itself is written by `affine`.
#pragma once

#include <cstdint>

#include "kernels/planes.h"

namespace inocula {

/// Channel vectors hold blocks * block floats; their padding is zero and stays zero.
///
/// batch_statistics: mean, rstd = 1 / sqrt(var + eps), and from them scale = gamma rstd, shift = beta - mean
/// scale.
struct BatchStatistics {
  const void* x = nullptr;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float* mean = nullptr;
  float* rstd = nullptr;  ///< 0 in the padding
  float* scale = nullptr;
  float* shift = nullptr;
  float* running_mean = nullptr;  ///< updated; null leaves the running estimates alone
  float* running_var = nullptr;
  float* partial = nullptr;  ///< scratch: 2 * planes * block floats
  PlaneShape shape;
  float eps = 1e-5f;
  float momentum = 0.1f;
};

/// fold_norm: frozen statistics as one scale and shift: scale = gamma / sqrt(var + eps),
/// shift = beta + (bias - mean) scale.
struct FoldNorm {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  const float* running_mean = nullptr;
  const float* running_var = nullptr;
  const float* bias = nullptr;  ///< of the convolution before; null means 0
  float* scale = nullptr;
  float* shift = nullptr;
  std::int64_t channels = 0;         ///< real ones
  std::int64_t padded_channels = 0;  ///< length of the vectors; beyond `channels` zeros are written
  float eps = 1e-5f;
};

/// norm_gradient_sums: sum_dy[c] and sum_dy_xhat[c] over batch and pixels, xhat = (x - mean) rstd. They are
/// the gradients of beta and gamma, added to dbeta and dgamma where those are given.
struct NormGradientSums {
  const void* x = nullptr;
  const void* dy = nullptr;
  const float* mean = nullptr;
  const float* rstd = nullptr;
  float* sum_dy = nullptr;
  float* sum_dy_xhat = nullptr;
  float* dgamma = nullptr;   ///< accumulated; may be null
  float* dbeta = nullptr;    ///< accumulated; may be null
  float* partial = nullptr;  ///< scratch: 2 * planes * block floats
  PlaneShape shape;
};

/// norm_backward: through batch statistics, dx = scale (dy - sum_dy / m - xhat sum_dy_xhat / m) with
/// m = batch * pixels; plus `add`, masked by `positive`. Through frozen statistics dx = scale dy:
/// join_gradient.
struct NormBackward {
  const void* x = nullptr;
  const void* dy = nullptr;
  const float* mean = nullptr;
  const float* rstd = nullptr;
  const float* scale = nullptr;
  const float* sum_dy = nullptr;
  const float* sum_dy_xhat = nullptr;
  const void* add = nullptr;               ///< may be null
  const std::uint8_t* positive = nullptr;  ///< may be null
  void* dx = nullptr;
  PlaneShape shape;
};

}  // namespace inocula
