// Bodies of the element-wise kernels on activations.
#include "kernels/pointwise.h"

#include <cmath>

#include "kernels/bits.h"
#include "kernels/for_each.h"
#include "kernels/map_planes.h"

INOCULA_BEGIN_TARGET

namespace {

template <bool kResidual>
struct AffineMap {
  static constexpr int kCoefficients = 2;
  const float *x, *scale, *shift, *residual;
  float floor;  // relu's 0, or minus infinity

  INOCULA_DEVICE Coefficients<2> coefficients(std::int64_t, std::int64_t c) const {
    return {{scale != nullptr ? scale[c] : 1.0f, shift != nullptr ? shift[c] : 0.0f}};
  }
  INOCULA_DEVICE float operator()(std::int64_t i, Coefficients<2> k) const {
    float y = k.v[0] * x[i] + k.v[1];
    if constexpr (kResidual) y += residual[i];
    return y < floor ? floor : y;  // a NaN stays
  }
};

template <bool kAdd>
struct JoinMap {
  static constexpr int kCoefficients = 1;
  const float *dy, *scale, *add;

  INOCULA_DEVICE Coefficients<1> coefficients(std::int64_t, std::int64_t c) const {
    return {{scale != nullptr ? scale[c] : 1.0f}};
  }
  INOCULA_DEVICE float operator()(std::int64_t i, Coefficients<1> k) const {
    float dx = k.v[0] * dy[i];
    if constexpr (kAdd) dx += add[i];
    return dx;
  }
};

struct PackPiece {
  PackPositive a;
  INOCULA_DEVICE void operator()(std::int64_t piece, const Team& team) const {
    const std::int64_t first = piece * kMapPiece;
    const std::int64_t n = a.size - first < kMapPiece ? a.size - first : kMapPiece;
    pack_positive_bits(team, a.y + first, n, a.positive + first / 8);
  }
};

template <bool kResidual>
void map_affine(const Queue& queue, const Affine& a) {
  const float floor = a.activation == Activation::relu ? 0.0f : -INFINITY;
  map_planes(queue, a.shape, AffineMap<kResidual>{a.x, a.scale, a.shift, a.residual, floor}, a.y, nullptr,
             a.positive);
}

template <bool kAdd>
void map_join(const Queue& queue, const JoinGradient& a) {
  map_planes(queue, a.shape, JoinMap<kAdd>{a.dy, a.scale, a.add}, a.dx, a.positive, nullptr);
}

}  // namespace

void affine(const Queue& queue, const Affine& args) {
  args.residual != nullptr ? map_affine<true>(queue, args) : map_affine<false>(queue, args);
}

void pack_positive(const Queue& queue, const PackPositive& args) {
  for_each_row(queue, (args.size + kMapPiece - 1) / kMapPiece, kMapPiece, PackPiece{args});
}

void join_gradient(const Queue& queue, const JoinGradient& args) {
  args.add != nullptr ? map_join<true>(queue, args) : map_join<false>(queue, args);
}

INOCULA_END_TARGET
