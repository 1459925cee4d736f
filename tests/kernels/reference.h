// The slow truth: every layer's mathematics in double, by plain loops, forward and backward.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/pool.h"
#include "tests/kernels/activations.h"

namespace inocula::test {

/// loss = sum over rows of scale * cross-entropy; logits (rows, classes).
struct CrossEntropy {
  std::vector<double> loss;     ///< (rows), unscaled
  std::vector<double> dlogits;  ///< (rows, classes), scaled
  std::vector<std::int32_t> predicted;
};
CrossEntropy cross_entropy(const std::vector<double>& logits, const std::vector<std::int32_t>& label,
                           std::int64_t classes, double scale);

/// Per channel: mean and biased variance of a batch.
struct Moments {
  std::vector<double> mean, variance;
};
Moments moments(const Dense& x);

/// gamma (x - mean) / sqrt(var + eps) + beta with the batch's own statistics.
Dense batch_norm(const Dense& x, const std::vector<double>& gamma, const std::vector<double>& beta,
                 double eps);

struct BatchNormGradient {
  Dense dx;
  std::vector<double> dgamma, dbeta;
};
BatchNormGradient batch_norm_backward(const Dense& x, const Dense& dy, const std::vector<double>& gamma,
                                      double eps);

/// PyTorch's MaxPool2d; `cell` is the window's cell that won, row-major: the first among equals, the last
/// NaN.
struct MaxPooled {
  Dense y;
  std::vector<std::int64_t> cell;
};
MaxPooled max_pool(const Dense& x, const PoolWindow& window);
Dense max_pool_backward(const Dense& x, const Dense& dy, const PoolWindow& window);

/// PyTorch's AvgPool2d, padding counted.
Dense average_pool(const Dense& x, const PoolWindow& window);
Dense average_pool_backward(const Dense& dy, std::int64_t h, std::int64_t w, const PoolWindow& window);

/// Sum of products of two arrays: the scalar function whose gradient a backward pass is.
double dot(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace inocula::test
