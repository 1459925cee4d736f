// The matrix product inside Winograd's kernels: a few rows by one panel of columns, all sums in registers.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/backends/cpu/winograd/floats.h"

INOCULA_BEGIN_TARGET

/// Depth that is multiplied at a time: this much of a panel, what it meets of `a` and its sums fit the first
/// cache together.
inline constexpr std::int64_t kDepthBlock = 4096 / (kPanelVectors * kLanes);

/// c[r][j] = sum over k of a[r][k] b[k][j], or added to what is there. Strides are in floats.
struct Product {
  const float* a = nullptr;
  std::int64_t a_row = 0, a_depth = 0;
  const float* b = nullptr;
  std::int64_t b_depth = 0;
  float* c = nullptr;
  std::int64_t c_row = 0;
  std::int64_t depth = 0;
};

/// kRows rows by kColumns vectors. Each sum is taken in the order of k by fused steps alone: neither which
/// rows are computed together nor how the depth is cut changes a bit. A line from `soon` on is fetched early
/// a step.
template <int kRows, int kColumns, bool kTransposed>
[[gnu::noinline]] void multiply_rows(const Product& p, bool accumulate, const float* soon) {
  // Copies: the compiler cannot know that no sum is stored into `p` itself.
  float* const c = p.c;
  const std::int64_t c_row = p.c_row;
  Floats sum[kRows][kColumns];
  if (accumulate) {
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int j = 0; j < kColumns; ++j) sum[r][j] = load(c + r * c_row + j * kLanes);
  } else {
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int j = 0; j < kColumns; ++j) sum[r][j] = broadcast(0);
  }

  const float* a = p.a;
  const float* b = p.b;
  // Transposed, a step's values of `a` lie side by side; else each row's do.
  const std::int64_t row = kTransposed ? 1 : p.a_row, step = kTransposed ? p.a_depth : 1;
  for (std::int64_t k = 0; k < p.depth; ++k) {
    Floats column[kColumns];
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) column[j] = load(b + j * kLanes);
    __builtin_prefetch(soon, 0, 2);
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r) {
      const Floats value = broadcast(a[r * row]);
#pragma GCC unroll 4
      for (int j = 0; j < kColumns; ++j) sum[r][j] = multiply_add(value, column[j], sum[r][j]);
    }
    a += step;
    b += p.b_depth;
    soon += 16;
  }

#pragma GCC unroll 24
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) store(c + r * c_row + j * kLanes, sum[r][j]);
}

template <int kColumns, bool kTransposed>
void multiply_some(std::int64_t rows, const Product& p, bool accumulate, const float* soon) {
  constexpr auto table = []<int... kRows>(std::integer_sequence<int, kRows...>) {
    struct Table {
      void (*of[sizeof...(kRows) + 1])(const Product&, bool, const float*);
    };
    return Table{{nullptr, multiply_rows<kRows + 1, kColumns, kTransposed>...}};
  }
  (std::make_integer_sequence<int, kProductRows[kColumns]>{});
  table.of[rows](p, accumulate, soon);
}

/// Any number of rows by `columns` <= kPanelVectors vectors, in groups of about equal size. While one block
/// of the depth is multiplied the next comes: what lies behind `b` is fetched early, also beyond its end.
template <bool kTransposed>
void multiply(std::int64_t rows, std::int64_t columns, const Product& whole, bool accumulate) {
  const std::int64_t most = kProductRows[columns];
  const std::int64_t groups = (rows + most - 1) / most;
  for (std::int64_t first = 0; first < whole.depth; first += kDepthBlock) {
    Product p = whole;
    p.depth = whole.depth - first < kDepthBlock ? whole.depth - first : kDepthBlock;
    p.b += first * p.b_depth;
    const std::int64_t block_size = p.depth * p.b_depth;
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t begin = rows * g / groups, end = rows * (g + 1) / groups;
      p.a = whole.a + begin * (kTransposed ? 1 : p.a_row) + first * (kTransposed ? p.a_depth : 1);
      p.c = whole.c + begin * p.c_row;
      const float* const soon = p.b + block_size + block_size * g / groups;
      switch (columns) {
        case 1:
          multiply_some<1, kTransposed>(end - begin, p, accumulate || first > 0, soon);
          break;
        case 2:
          multiply_some<2, kTransposed>(end - begin, p, accumulate || first > 0, soon);
          break;
#if defined(__AVX512F__)
        case 3:
          multiply_some<3, kTransposed>(end - begin, p, accumulate || first > 0, soon);
          break;
        case 4:
          multiply_some<4, kTransposed>(end - begin, p, accumulate || first > 0, soon);
          break;
#endif
      }
    }
  }
}

INOCULA_END_TARGET
