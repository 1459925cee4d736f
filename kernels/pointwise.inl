// Bodies of the element-wise kernels on activations.
#include "kernels/pointwise.h"

#include <cmath>

#include "kernels/bits.h"
#include "kernels/for_each.h"
#include "kernels/map_planes.h"

INOCULA_BEGIN_TARGET

namespace {

template <class T, bool kResidual>
struct AffineMap {
  static constexpr int kCoefficients = 2, kSources = kResidual ? 2 : 1;
  static constexpr bool kPerSample = false;
  const T* source[2];  // x, residual
  const float *scale, *shift;
  float floor;  // relu's 0, or minus infinity

  INOCULA_DEVICE Coefficients<2> coefficients(std::int64_t, std::int64_t c) const {
    return {{scale != nullptr ? scale[c] : 1.0f, shift != nullptr ? shift[c] : 0.0f}};
  }
  INOCULA_DEVICE float operator()(const float* v, const Coefficients<2>& k) const {
    float y = k.v[0] * v[0] + k.v[1];
    if constexpr (kResidual) y += v[1];
    return y < floor ? floor : y;  // a NaN stays
  }
};

template <class T, bool kAdd>
struct JoinMap {
  static constexpr int kCoefficients = 1, kSources = kAdd ? 2 : 1;
  static constexpr bool kPerSample = false;
  const T* source[2];  // dy, add
  const float* scale;

  INOCULA_DEVICE Coefficients<1> coefficients(std::int64_t, std::int64_t c) const {
    return {{scale != nullptr ? scale[c] : 1.0f}};
  }
  INOCULA_DEVICE float operator()(const float* v, const Coefficients<1>& k) const {
    float dx = k.v[0] * v[0];
    if constexpr (kAdd) dx += v[1];
    return dx;
  }
};

template <class T>
struct PackPiece {
  PackPositive a;
  INOCULA_DEVICE void operator()(std::int64_t piece, const Team& team) const {
    const std::int64_t first = piece * kMapPiece;
    const std::int64_t n = a.size - first < kMapPiece ? a.size - first : kMapPiece;
    pack_positive_bits(team, static_cast<const T*>(a.y) + first, n, a.positive + first / 8);
  }
};

template <class T, bool kResidual>
void map_affine(const Queue& queue, const Affine& a) {
  const float floor = a.activation == Activation::relu ? 0.0f : -INFINITY;
  const AffineMap<T, kResidual> map{
      {static_cast<const T*>(a.x), static_cast<const T*>(a.residual)}, a.scale, a.shift, floor};
  map_planes(queue, a.shape, map, static_cast<T*>(a.y), nullptr, a.positive);
}

template <class T, bool kAdd>
void map_join(const Queue& queue, const JoinGradient& a) {
  const JoinMap<T, kAdd> map{{static_cast<const T*>(a.dy), static_cast<const T*>(a.add)}, a.scale};
  map_planes(queue, a.shape, map, static_cast<T*>(a.dx), a.positive, nullptr);
}

}  // namespace

void affine(const Queue& queue, const Affine& args) {
  with_element(args.shape.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    args.residual != nullptr ? map_affine<T, true>(queue, args) : map_affine<T, false>(queue, args);
  });
}

void pack_positive(const Queue& queue, const PackPositive& args) {
  with_element(args.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each_row(queue, (args.size + kMapPiece - 1) / kMapPiece, kMapPiece, PackPiece<T>{args});
  });
}

void join_gradient(const Queue& queue, const JoinGradient& args) {
  with_element(args.shape.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    args.add != nullptr ? map_join<T, true>(queue, args) : map_join<T, false>(queue, args);
  });
}

INOCULA_END_TARGET
