// Winograd's minimal algorithms F(m, r): which points a tile is evaluated at, and the five transforms.
//
// m outputs of a filter of r taps are a product of polynomials, which is known by its values at m + r - 1
// points: one product a point instead of r an output. The points are 0 (or not), pairs +p and -p, and
// infinity; everything else follows from them at compile time. With R_p(x) the product of (x^2 - q^2) over
// the other pairs, and z = 1 where 0 is a point, else 0:
//   data     t(+-p) = o +- p e, where e and o are R_p's coefficients against d[z], d[z+2], … and d[z+1],
//            d[z+3], …; t(0) and t(infinity) the coefficients of the product over all pairs
//   filter   u(p) = g(p) / N(p), N(p) the product of p - q over all other finite points; u(infinity) = g[r-1]
//   output   y[i] = sum over points of p^i m(p); m(infinity) is added to the last
// and the adjoints of the last two, for the gradient of the weights. In two dimensions a transform is applied
// to columns, then to rows. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016); the
// points below are those of small errors in single precision, found by search.
#pragma once

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

struct Points {
  int pairs = 0;
  bool zero = false;
  double p[4] = {};  ///< of each pair, positive
};

/// F(kOutputs, kTaps) at `kPoints`, along one dimension. A transform's T is a number or a vector of them with
/// +, -, *, multiply_add, multiply_subtract and constant(double, T).
template <int kOutputs, int kTaps, Points kPoints>
class Winograd {
 public:
  static constexpr int outputs = kOutputs;
  static constexpr int taps = kTaps;
  static constexpr int points = kOutputs + kTaps - 1;

  /// t = the data's transform of d, both of `points` values.
  template <class T>
  [[gnu::always_inline]] static void data(const T* d, T* t) {
    if constexpr (z != 0) t[0] = every_pair(d);
#pragma GCC unroll 4
    for (int k = 0; k < pairs; ++k) {
      T e = d[z + 2 * (pairs - 1)], o = d[z + 2 * (pairs - 1) + 1];
#pragma GCC unroll 4
      for (int j = 0; j < pairs - 1; ++j) {
        const T r = constant(c.others[k][j], T{});
        e = multiply_add(r, d[z + 2 * j], e);
        o = multiply_add(r, d[z + 2 * j + 1], o);
      }
      const T p = constant(c.power[k][1], T{});
      t[z + 2 * k] = multiply_add(p, e, o);
      t[z + 2 * k + 1] = multiply_subtract(p, e, o);
    }
    t[points - 1] = every_pair(d + z);
  }

  /// u = the filter's transform of g: `taps` values to `points`.
  template <class T>
  [[gnu::always_inline]] static void filter(const T* g, T* u) {
    if constexpr (z != 0) u[0] = constant(1 / c.at_zero, T{}) * g[0];
#pragma GCC unroll 4
    for (int k = 0; k < pairs; ++k) {
      T e = constant(1 / c.norm[k], T{}) * g[0];
      const T o = constant(c.power[k][1] / c.norm[k], T{}) * g[1];
      if constexpr (taps == 3) e = multiply_add(constant(c.power[k][2] / c.norm[k], T{}), g[2], e);
      u[z + 2 * k] = e + o;
      u[z + 2 * k + 1] = z != 0 ? e - o : o - e;
    }
    u[points - 1] = g[taps - 1];
  }

  /// y = the outputs of the products m: `points` values to `outputs`.
  template <class T>
  [[gnu::always_inline]] static void output(const T* m, T* y) {
    T sum[pairs], difference[pairs];
#pragma GCC unroll 4
    for (int k = 0; k < pairs; ++k) {
      sum[k] = m[z + 2 * k] + m[z + 2 * k + 1];
      difference[k] = m[z + 2 * k] - m[z + 2 * k + 1];
    }
#pragma GCC unroll 16
    for (int i = 0; i < outputs; ++i) {
      T v = i == 0 ? sum[0] : constant(c.power[0][i], T{}) * (i % 2 == 0 ? sum[0] : difference[0]);
#pragma GCC unroll 4
      for (int k = 1; k < pairs; ++k)
        v = i == 0 ? v + sum[k]
                   : multiply_add(constant(c.power[k][i], T{}), i % 2 == 0 ? sum[k] : difference[k], v);
      if (i == 0 && z != 0) v = v + m[0];
      if (i == outputs - 1) v = v + m[points - 1];
      y[i] = v;
    }
  }

  /// t = the adjoint of `output`: from the gradient of `outputs` values to `points`.
  template <class T>
  [[gnu::always_inline]] static void output_adjoint(const T* dy, T* t) {
    if constexpr (z != 0) t[0] = dy[0];
#pragma GCC unroll 4
    for (int k = 0; k < pairs; ++k) {
      T e = dy[0], o = constant(c.power[k][1], T{}) * dy[1];
#pragma GCC unroll 16
      for (int i = 2; i < outputs; ++i) {
        const T p = constant(c.power[k][i], T{});
        if (i % 2 == 0)
          e = multiply_add(p, dy[i], e);
        else
          o = multiply_add(p, dy[i], o);
      }
      t[z + 2 * k] = e + o;
      t[z + 2 * k + 1] = e - o;
    }
    t[points - 1] = dy[outputs - 1];
  }

  /// g = the adjoint of `filter`: `points` values to `taps`.
  template <class T>
  [[gnu::always_inline]] static void filter_adjoint(const T* u, T* g) {
    T sum[3] = {constant(0, T{}), constant(0, T{}), constant(0, T{})};
    if constexpr (z != 0) sum[0] = constant(1 / c.at_zero, T{}) * u[0];
    sum[taps - 1] = u[points - 1];
#pragma GCC unroll 4
    for (int k = 0; k < pairs; ++k) {
      const T plus = u[z + 2 * k], minus = u[z + 2 * k + 1];
      const T even = z != 0 ? plus + minus : plus - minus;
      const T odd = z != 0 ? plus - minus : plus + minus;
      sum[0] = multiply_add(constant(1 / c.norm[k], T{}), even, sum[0]);
      sum[1] = multiply_add(constant(c.power[k][1] / c.norm[k], T{}), odd, sum[1]);
      if constexpr (taps == 3) sum[2] = multiply_add(constant(c.power[k][2] / c.norm[k], T{}), even, sum[2]);
    }
    for (int i = 0; i < taps; ++i) g[i] = sum[i];
  }

 private:
  static constexpr int z = kPoints.zero ? 1 : 0;
  static constexpr int pairs = kPoints.pairs;
  static_assert(points == 2 * pairs + z + 1 && (taps == 2 || taps == 3));

  struct Constants {
    double power[pairs][points] = {};          ///< p^i
    double norm[pairs] = {};                   ///< N(+p); N(-p) is minus that where 0 is no point
    double others[pairs + 1][pairs + 1] = {};  ///< [k][j]: of x^2j in R_k; the last k leaves no pair out
    double at_zero = 0;                        ///< N(0)
  };
  static constexpr Constants derive() {
    Constants d;
    for (int k = 0; k < pairs; ++k) {
      d.power[k][0] = 1;
      for (int i = 1; i < points; ++i) d.power[k][i] = d.power[k][i - 1] * kPoints.p[k];
    }
    for (int k = 0; k < pairs; ++k) {
      d.norm[k] = 2 * d.power[k][1 + z];
      for (int q = 0; q < pairs; ++q)
        if (q != k) d.norm[k] *= d.power[k][2] - d.power[q][2];
    }
    for (int k = 0; k <= pairs; ++k) {
      double* const r = d.others[k];
      r[0] = 1;
      for (int q = 0, degree = 0; q < pairs; ++q) {
        if (q == k) continue;
        ++degree;
        for (int i = degree; i > 0; --i) r[i] = r[i - 1] - d.power[q][2] * r[i];
        r[0] *= -d.power[q][2];
      }
    }
    d.at_zero = d.others[pairs][0];
    return d;
  }
  static constexpr Constants c = derive();

  /// The coefficients of the product over all pairs against d[0], d[2], …
  template <class T>
  [[gnu::always_inline]] static T every_pair(const T* d) {
    T v = d[2 * pairs];
#pragma GCC unroll 8
    for (int j = 0; j < pairs; ++j) v = multiply_add(constant(c.others[pairs][j], T{}), d[2 * j], v);
    return v;
  }
};

using F4 = Winograd<4, 3, Points{2, true, {2.0 / 3, 1.5}}>;
using F7 = Winograd<7, 3, Points{4, false, {1, 2, 2.0 / 3, 0.25}}>;
using F8 = Winograd<8, 3, Points{4, true, {0.4, 0.8, 4.0 / 3, 2.5}}>;

INOCULA_END_TARGET
