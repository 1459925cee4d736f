// Activations for tests: plain double (N, C, H, W) as the references know them, and any block as kernels do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/planes.h"

namespace inocula::test {

/// Activations in double, (n, c, h, w).
struct Dense {
  std::int64_t n = 0, c = 0, h = 0, w = 0;
  std::vector<double> v;

  Dense() = default;
  Dense(std::int64_t n_, std::int64_t c_, std::int64_t h_, std::int64_t w_)
      : n(n_), c(c_), h(h_), w(w_), v(static_cast<std::size_t>(n_ * c_ * h_ * w_)) {}
  double& at(std::int64_t in, std::int64_t ic, std::int64_t y, std::int64_t x) {
    return v[static_cast<std::size_t>(((in * c + ic) * h + y) * w + x)];
  }
  double at(std::int64_t in, std::int64_t ic, std::int64_t y, std::int64_t x) const {
    return const_cast<Dense*>(this)->at(in, ic, y, x);
  }
};

/// The shapes that every kernel on activations is tried with: channels with and without padding, blocks 1, 8,
/// 16 and all channels (channels-last), odd sides, a single pixel, and one large enough for two threads.
std::vector<PlaneShape> plane_shapes();

/// Where element (n, c, pixel) lies.
std::int64_t index_of(const PlaneShape& shape, std::int64_t n, std::int64_t c, std::int64_t pixel);

/// Random values, exactly representable as floats, uniform on [lo, hi).
Dense random_dense(const PlaneShape& shape, unsigned seed, float lo = -1, float hi = 1);

/// In the kernel's layout; zeros in the padding.
std::vector<float> to_planes(const Dense& dense, const PlaneShape& shape);

/// From the kernel's layout, padding left out.
std::vector<float> from_planes(const std::vector<float>& planes, const PlaneShape& shape);

/// True where every element beyond the shape's channels is 0.
bool padding_is_zero(const std::vector<float>& planes, const PlaneShape& shape);

/// A channel vector of blocks * block floats: `values`, then zeros.
std::vector<float> padded(const std::vector<float>& values, const PlaneShape& shape);

/// The bits of `planes` > 0 as kernels pack them, by a plain loop.
std::vector<std::uint8_t> positive_bits(const std::vector<float>& planes);

/// Largest relative difference between `gradient` and central differences of f at x, over every coordinate.
double finite_difference_error(std::vector<double>& x, const std::vector<double>& gradient,
                               const std::function<double()>& f);

/// What finite differences in double may be off by: step 1e-5, third derivatives of order 1.
inline constexpr double kFiniteDifferenceBound = 1e-6;

std::string to_string(const PlaneShape& shape);

}  // namespace inocula::test
