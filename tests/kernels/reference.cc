// Bodies of the double references.
#include "tests/kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace inocula::test {

namespace {

std::int64_t outputs(std::int64_t inputs, std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  return (inputs + 2 * pad - kernel) / stride + 1;
}

/// Calls f(out n, c, oy, ox, in y, x, cell) for every cell of every window that lies inside the image.
template <class F>
void each_cell(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, const PoolWindow& window,
               F&& f) {
  const std::int64_t out_h = outputs(h, window.kernel_h, window.stride_h, window.pad_h);
  const std::int64_t out_w = outputs(w, window.kernel_w, window.stride_w, window.pad_w);
  for (std::int64_t in = 0; in < n; ++in)
    for (std::int64_t ic = 0; ic < c; ++ic)
      for (std::int64_t oy = 0; oy < out_h; ++oy)
        for (std::int64_t ox = 0; ox < out_w; ++ox)
          for (std::int64_t ky = 0; ky < window.kernel_h; ++ky)
            for (std::int64_t kx = 0; kx < window.kernel_w; ++kx) {
              const std::int64_t y = oy * window.stride_h - window.pad_h + ky;
              const std::int64_t x = ox * window.stride_w - window.pad_w + kx;
              if (y >= 0 && y < h && x >= 0 && x < w) f(in, ic, oy, ox, y, x, ky * window.kernel_w + kx);
            }
}

Dense pooled_like(const Dense& x, const PoolWindow& window) {
  return Dense(x.n, x.c, outputs(x.h, window.kernel_h, window.stride_h, window.pad_h),
               outputs(x.w, window.kernel_w, window.stride_w, window.pad_w));
}

}  // namespace

CrossEntropy cross_entropy(const std::vector<double>& logits, const std::vector<std::int32_t>& label,
                           std::int64_t classes, double scale) {
  CrossEntropy result;
  for (std::size_t row = 0; row < label.size(); ++row) {
    const double* z = logits.data() + row * static_cast<std::size_t>(classes);
    const double top = *std::max_element(z, z + classes);
    result.predicted.push_back(static_cast<std::int32_t>(std::max_element(z, z + classes) - z));
    double others = 0;
    for (std::int64_t j = 0; j < classes; ++j)
      if (j != result.predicted.back()) others += std::exp(z[j] - top);
    result.loss.push_back((top - z[label[row]]) + std::log1p(others));
    double wrong = 0;
    const std::size_t first = result.dlogits.size();
    for (std::int64_t j = 0; j < classes; ++j) {
      const double p = std::exp(z[j] - top) / (1 + others);
      result.dlogits.push_back(scale * p);
      if (j != label[row]) wrong += scale * p;
    }
    result.dlogits[first + static_cast<std::size_t>(label[row])] = -wrong;
  }
  return result;
}

Moments moments(const Dense& x) {
  Moments result;
  const double count = static_cast<double>(x.n * x.h * x.w);
  for (std::int64_t c = 0; c < x.c; ++c) {
    double sum = 0, squares = 0;
    for (std::int64_t n = 0; n < x.n; ++n)
      for (std::int64_t y = 0; y < x.h; ++y)
        for (std::int64_t i = 0; i < x.w; ++i) sum += x.at(n, c, y, i);
    const double mean = sum / count;
    for (std::int64_t n = 0; n < x.n; ++n)
      for (std::int64_t y = 0; y < x.h; ++y)
        for (std::int64_t i = 0; i < x.w; ++i)
          squares += (x.at(n, c, y, i) - mean) * (x.at(n, c, y, i) - mean);
    result.mean.push_back(mean);
    result.variance.push_back(squares / count);
  }
  return result;
}

Dense batch_norm(const Dense& x, const std::vector<double>& gamma, const std::vector<double>& beta,
                 double eps) {
  const Moments batch = moments(x);
  Dense result = x;
  for (std::int64_t n = 0; n < x.n; ++n)
    for (std::int64_t c = 0; c < x.c; ++c) {
      const std::size_t k = static_cast<std::size_t>(c);
      for (std::int64_t y = 0; y < x.h; ++y)
        for (std::int64_t i = 0; i < x.w; ++i)
          result.at(n, c, y, i) =
              gamma[k] * (x.at(n, c, y, i) - batch.mean[k]) / std::sqrt(batch.variance[k] + eps) + beta[k];
    }
  return result;
}

BatchNormGradient batch_norm_backward(const Dense& x, const Dense& dy, const std::vector<double>& gamma,
                                      double eps) {
  const Moments batch = moments(x);
  const double count = static_cast<double>(x.n * x.h * x.w);
  BatchNormGradient result{x, {}, {}};
  for (std::int64_t c = 0; c < x.c; ++c) {
    const std::size_t k = static_cast<std::size_t>(c);
    const double rstd = 1 / std::sqrt(batch.variance[k] + eps);
    const auto xhat = [&](std::int64_t n, std::int64_t y, std::int64_t i) {
      return (x.at(n, c, y, i) - batch.mean[k]) * rstd;
    };
    double sum_dy = 0, sum_dy_xhat = 0;
    for (std::int64_t n = 0; n < x.n; ++n)
      for (std::int64_t y = 0; y < x.h; ++y)
        for (std::int64_t i = 0; i < x.w; ++i) {
          sum_dy += dy.at(n, c, y, i);
          sum_dy_xhat += dy.at(n, c, y, i) * xhat(n, y, i);
        }
    for (std::int64_t n = 0; n < x.n; ++n)
      for (std::int64_t y = 0; y < x.h; ++y)
        for (std::int64_t i = 0; i < x.w; ++i)
          result.dx.at(n, c, y, i) =
              gamma[k] * rstd * (dy.at(n, c, y, i) - sum_dy / count - xhat(n, y, i) * sum_dy_xhat / count);
    result.dgamma.push_back(sum_dy_xhat);
    result.dbeta.push_back(sum_dy);
  }
  return result;
}

MaxPooled max_pool(const Dense& x, const PoolWindow& window) {
  MaxPooled result{pooled_like(x, window), {}};
  Dense& y = result.y;
  result.cell.assign(y.v.size(), -1);
  each_cell(x.n, x.c, x.h, x.w, window,
            [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox, std::int64_t iy,
                std::int64_t ix, std::int64_t cell) {
              std::int64_t& won = result.cell[static_cast<std::size_t>(&y.at(n, c, oy, ox) - y.v.data())];
              const double v = x.at(n, c, iy, ix);
              if (won < 0 || v > y.at(n, c, oy, ox) || std::isnan(v)) {
                y.at(n, c, oy, ox) = v;
                won = cell;
              }
            });
  return result;
}

Dense max_pool_backward(const Dense& x, const Dense& dy, const PoolWindow& window) {
  const MaxPooled forward = max_pool(x, window);
  Dense dx(x.n, x.c, x.h, x.w);
  each_cell(x.n, x.c, x.h, x.w, window,
            [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox, std::int64_t iy,
                std::int64_t ix, std::int64_t cell) {
              const std::size_t out = static_cast<std::size_t>(((n * dy.c + c) * dy.h + oy) * dy.w + ox);
              if (forward.cell[out] == cell) dx.at(n, c, iy, ix) += dy.v[out];
            });
  return dx;
}

Dense average_pool(const Dense& x, const PoolWindow& window) {
  Dense y = pooled_like(x, window);
  const double cells = static_cast<double>(window.kernel_h * window.kernel_w);
  each_cell(x.n, x.c, x.h, x.w, window,
            [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox, std::int64_t iy,
                std::int64_t ix, std::int64_t) { y.at(n, c, oy, ox) += x.at(n, c, iy, ix) / cells; });
  return y;
}

Dense average_pool_backward(const Dense& dy, std::int64_t h, std::int64_t w, const PoolWindow& window) {
  Dense dx(dy.n, dy.c, h, w);
  const double cells = static_cast<double>(window.kernel_h * window.kernel_w);
  each_cell(dy.n, dy.c, h, w, window,
            [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox, std::int64_t iy,
                std::int64_t ix, std::int64_t) { dx.at(n, c, iy, ix) += dy.at(n, c, oy, ox) / cells; });
  return dx;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace inocula::test
