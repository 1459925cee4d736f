// Activations for tests: plain double (N, C, H, W) as the references know them, and any block as kernels do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/planes.h"
#include "tests/kernels/harness.h"

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

/// An activation as kernels know it: guarded memory of a shape's element, given and read as floats.
class Planes {
 public:
  /// Every element `value`; by default what a kernel must have overwritten.
  explicit Planes(const PlaneShape& shape, float value = kNan);
  /// `values` are rounded to the element.
  Planes(const std::vector<float>& values, Element element);

  void* data() { return bytes_.data(); }
  const void* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size() / element_bytes(element_); }
  void set(std::size_t i, float value);
  /// The contents, once it is certain that nothing was written beside them.
  std::vector<float> values() const;

 private:
  Element element_;
  Guarded<std::uint8_t> bytes_;
};

/// The shapes that every kernel on activations is tried with: channels with and without padding, blocks 1, 8,
/// 16 and all channels (channels-last), odd sides, a single pixel, and one large enough for two threads; each
/// in floats and in bf16.
std::vector<PlaneShape> plane_shapes();

/// The same and batches of many small planes, for sums over the batch: of several chunks, and of more than a
/// team of the GPU takes at once.
std::vector<PlaneShape> batch_shapes();

/// What storing a result in the shape's element adds to its relative error: half a unit of 8 bits, or nothing
/// beyond what floats have.
double storage_error(const PlaneShape& shape);

/// Where element (n, c, pixel) lies.
std::int64_t index_of(const PlaneShape& shape, std::int64_t n, std::int64_t c, std::int64_t pixel);

/// Random values, exactly representable in the shape's element, uniform on [lo, hi) before they are rounded.
Dense random_dense(const PlaneShape& shape, unsigned seed, float lo = -1, float hi = 1);

/// In the kernel's layout and element; zeros in the padding.
Planes to_planes(const Dense& dense, const PlaneShape& shape);

/// From the kernel's layout, padding left out.
std::vector<float> from_planes(const std::vector<float>& planes, const PlaneShape& shape);

/// True where every element beyond the shape's channels is 0.
bool padding_is_zero(const std::vector<float>& planes, const PlaneShape& shape);

/// A channel vector of blocks * block floats: `values`, then zeros.
std::vector<float> padded(const std::vector<float>& values, const PlaneShape& shape);

/// The bits of `planes` > 0 as kernels pack them, by a plain loop.
std::vector<std::uint8_t> positive_bits(const std::vector<float>& planes);

/// The float of `element` that is nearest to v; of two that are as near, the one whose last bit is 0.
float nearest(float v, Element element);

/// Largest relative difference between `gradient` and central differences of f at x, over every coordinate.
double finite_difference_error(std::vector<double>& x, const std::vector<double>& gradient,
                               const std::function<double()>& f);

/// What finite differences in double may be off by: step 1e-5, third derivatives of order 1.
inline constexpr double kFiniteDifferenceBound = 1e-6;

std::string to_string(const PlaneShape& shape);

}  // namespace inocula::test
