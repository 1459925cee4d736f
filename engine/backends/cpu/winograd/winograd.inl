// The kernels of Winograd's convolutions: transforms of weights, of data, of products, and of gradients.
//
// A block of tiles is transformed into V[point][tile][input], multiplied at every point with U[point][panel]
// [input][output] into M[panel][point][tile][output], and transformed back with what follows a convolution
// done on the way out. A panel is as many outputs as one product holds in registers.
#include "engine/backends/cpu/winograd/winograd.h"

#include <omp.h>

#include "engine/backends/cpu/share.h"
#include "engine/backends/cpu/winograd/floats.h"
#include "engine/backends/cpu/winograd/product.h"
#include "engine/backends/cpu/winograd/tile.h"

INOCULA_BEGIN_TARGET

namespace {

using namespace cpu;

static_assert(panel_channels(kLanes) == kPanelVectors * kLanes);

/// Which tile of which image.
struct TilePlace {
  std::int64_t image, row, col;

  TilePlace(const WinogradShape& s, std::int64_t tile) {
    const std::int64_t in_image = s.tile_rows() * s.tile_cols();
    image = tile / in_image;
    row = tile % in_image / s.tile_cols();
    col = tile % s.tile_cols();
  }
};

alignas(64) constexpr float kZeros[16 * kLanes] = {};

/// Reads kSide x kSide pixels of one block of channels from (row, col) on, zeros outside the plane, times
/// `scale` where there is one; transforms columns, then rows, to the points, and writes these `to_plane`
/// apart.
template <class Tile, int kSide, auto kTransform>
void transform_in(const float* scale, const float* plane, std::int64_t height, std::int64_t width,
                  std::int64_t row, std::int64_t col, float* to, std::int64_t to_plane) {
  const float* line[kSide];
  for (int r = 0; r < kSide; ++r) {
    const std::int64_t at = row + r;
    // A row of zeros is read from its beginning at whatever column the tile begins.
    line[r] = at >= 0 && at < height ? plane + (at * width + col) * kLanes : kZeros;
  }
  Floats half[Tile::points][kSide];
  for (int c = 0; c < kSide; ++c) {
    Floats d[kSide], t[Tile::points];
    if (col + c < 0 || col + c >= width) {
#pragma GCC unroll 10
      for (int p = 0; p < Tile::points; ++p) half[p][c] = broadcast(0);
      continue;
    }
#pragma GCC unroll 10
    for (int r = 0; r < kSide; ++r) d[r] = load(line[r] + c * kLanes);
    if (scale != nullptr) {
      const Floats by = load(scale);
#pragma GCC unroll 10
      for (int r = 0; r < kSide; ++r) d[r] = d[r] * by;
    }
    kTransform(d, t);
#pragma GCC unroll 10
    for (int p = 0; p < Tile::points; ++p) half[p][c] = t[p];
  }
  for (int p = 0; p < Tile::points; ++p) {
    Floats t[Tile::points];
    kTransform(half[p], t);
#pragma GCC unroll 10
    for (int q = 0; q < Tile::points; ++q) store(to + (p * Tile::points + q) * to_plane, t[q]);
  }
}

/// V of one tile and block of input channels.
template <class Tile>
void transform_data(const WinogradShape& s, const float* x, const float* scale, std::int64_t tile,
                    std::int64_t block, float* v, std::int64_t v_plane) {
  const TilePlace at(s, tile);
  transform_in<Tile, Tile::points, Tile::template data<Floats>>(
      scale != nullptr ? scale + block * kLanes : nullptr,
      x + (at.image * s.in_blocks + block) * s.in_h * s.in_w * kLanes, s.in_h, s.in_w,
      at.row * Tile::outputs - s.pad_h, at.col * Tile::outputs - s.pad_w, v, v_plane);
}

/// What a gradient's tile and block of output channels is at the points.
template <class Tile>
void transform_gradient(const WinogradShape& s, const float* dy, std::int64_t tile, std::int64_t block,
                        float* to, std::int64_t to_plane) {
  const TilePlace at(s, tile);
  transform_in<Tile, Tile::outputs, Tile::template output_adjoint<Floats>>(
      nullptr, dy + (at.image * s.out_blocks + block) * s.out_h * s.out_w * kLanes, s.out_h, s.out_w,
      at.row * Tile::outputs, at.col * Tile::outputs, to, to_plane);
}

/// Where a tile's outputs lie in one block of channels.
struct OutputPlace {
  std::int64_t rows, cols, first;
  OutputPlace(const WinogradShape& s, std::int64_t tile, std::int64_t block, std::int64_t side) {
    const TilePlace at(s, tile);
    const std::int64_t row = at.row * side, col = at.col * side;
    rows = smaller(side, s.out_h - row);
    cols = smaller(side, s.out_w - col);
    first = (((at.image * s.out_blocks + block) * s.out_h + row) * s.out_w + col) * kLanes;
  }
};

/// Asks for what a tile's outputs will be added to and stored in: rows this short no hardware foresees.
template <class Tile>
void fetch_out(const WinogradConvolve& a, std::int64_t tile, std::int64_t block) {
  const OutputPlace at(a.shape, tile, block, Tile::outputs);
  constexpr std::int64_t kLine = 16;
  for (std::int64_t r = 0; r < at.rows; ++r) {
    const std::int64_t row = at.first + r * a.shape.out_w * kLanes;
    for (std::int64_t i = 0; i < at.cols * kLanes; i += kLine) {
      if (a.add != nullptr) __builtin_prefetch(a.add + row + i, 0, 2);
      __builtin_prefetch(a.y + row + i, 1, 2);
    }
  }
}

/// Outputs of one tile and block of channels from their products, with the epilogue.
template <class Tile>
void transform_out(const WinogradConvolve& a, std::int64_t tile, std::int64_t block, const float* m,
                   std::int64_t m_plane) {
  const WinogradShape& s = a.shape;
  const OutputPlace at(s, tile, block, Tile::outputs);
  Floats half[Tile::outputs][Tile::points];
  for (int p = 0; p < Tile::points; ++p) {
    Floats t[Tile::points], y[Tile::outputs];
#pragma GCC unroll 10
    for (int q = 0; q < Tile::points; ++q) t[q] = load(m + (p * Tile::points + q) * m_plane);
    Tile::output(t, y);
#pragma GCC unroll 10
    for (int c = 0; c < Tile::outputs; ++c) half[c][p] = y[c];
  }
  const Floats scale = a.out_scale != nullptr ? load(a.out_scale + block * kLanes) : broadcast(1);
  const Floats bias = a.bias != nullptr ? load(a.bias + block * kLanes) : broadcast(0);
  for (std::int64_t c = 0; c < at.cols; ++c) {
    Floats y[Tile::outputs];
    Tile::output(half[c], y);
#pragma GCC unroll 10
    for (int r = 0; r < Tile::outputs; ++r) {
      if (r >= at.rows) break;
      const std::int64_t i = at.first + (r * s.out_w + c) * kLanes;
      Floats v = multiply_add(y[r], scale, bias);
      if (a.add != nullptr) v = v + load(a.add + i);
      if (a.relu) v = positive_part(v);
      if (a.mask != nullptr) v = where_set(a.mask + i / 8, v);
      store(a.y + i, v);
      if (a.positive != nullptr) store_positive(a.positive + i / 8, v);
    }
  }
}

/// Where a panel begins in U's plane of a point, and how many vectors of outputs it has.
struct Panel {
  std::int64_t block, columns;
  Panel(const WinogradShape& s, std::int64_t index)
      : block(index * kPanelVectors), columns(smaller(kPanelVectors, s.out_blocks - block)) {}
  std::int64_t offset(const WinogradShape& s) const { return s.in_channels() * block * kLanes; }
};

/// The outputs of some panels for `count` tiles from `first` on. Point by point: a point's V is read once.
template <class Tile>
void compute_panels(const WinogradConvolve& a, const Share& panels, std::int64_t first, std::int64_t count,
                    const float* v, std::int64_t v_plane, float* m, std::int64_t m_plane) {
  const WinogradShape& s = a.shape;
  const std::int64_t depth = s.in_channels();
  for (std::int64_t p = 0; p < s.points(); ++p) {
    for (std::int64_t i = panels.begin; i < panels.end; ++i) {
      const Panel panel(s, i);
      const Product product{.a = v + p * v_plane,
                            .a_row = depth,
                            .a_depth = 1,
                            .b = a.u + p * depth * s.out_channels() + panel.offset(s),
                            .b_depth = panel.columns * kLanes,
                            .c = m + ((i - panels.begin) * s.points() + p) * m_plane,
                            .c_row = panel.columns * kLanes,
                            .depth = depth};
      multiply<false>(count, panel.columns, product, false);
    }
  }
  for (std::int64_t i = panels.begin; i < panels.end; ++i, m += s.points() * m_plane) {
    const Panel panel(s, i);
    const std::int64_t units = count * panel.columns;
    for (std::int64_t u = 0; u < units; ++u) {
      const std::int64_t next = smaller(u + 1, units - 1);
      fetch_out<Tile>(a, first + next / panel.columns, panel.block + next % panel.columns);
      transform_out<Tile>(a, first + u / panel.columns, panel.block + u % panel.columns, m + u * kLanes,
                          m_plane);
    }
  }
}

template <class Tile>
void convolve_by(const Queue& queue, const WinogradConvolve& a) {
  const WinogradShape& s = a.shape;
  const std::int64_t block = a.blocking.tiles, blocks = (s.tiles() + block - 1) / block;
  const std::int64_t v_plane = s.in_plane(block), m_plane = s.panel_plane(block);
  const std::int64_t v_size = s.points() * v_plane, m_size = s.points() * m_plane;
#pragma omp parallel num_threads(queue.threads)
  {
    const std::int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    // All threads are one team for every block, or each is a team of its own for some of them.
    const bool shared = a.blocking.shared;
    const std::int64_t member = shared ? thread : 0, members = shared ? threads : 1;
    const Share mine(blocks, shared ? 0 : thread, shared ? 1 : threads);
    const Share panels(s.panels(), member, members);
    float* const v = a.scratch + (shared ? 0 : thread * (v_size + s.panels() * m_size));
    float* const m = v + v_size + panels.begin * m_size;
    for (std::int64_t first = mine.begin * block; first < smaller(mine.end * block, s.tiles());
         first += block) {
      const std::int64_t count = smaller(block, s.tiles() - first);
      const Share share(count * s.in_blocks, member, members);
      for (std::int64_t i = share.begin; i < share.end; ++i) {
        const std::int64_t t = i / s.in_blocks, b = i % s.in_blocks;
        transform_data<Tile>(s, a.x, a.in_scale, first + t, b, v + t * s.in_channels() + b * kLanes, v_plane);
      }
      if (shared) {
#pragma omp barrier
      }
      compute_panels<Tile>(a, panels, first, count, v, v_plane, m, m_plane);
      if (shared) {
#pragma omp barrier
      }
    }
  }
}

/// The kLanes filters of one block of outputs and one input, at all points.
template <class Tile>
void transform_filters(const WinogradWeights& a, std::int64_t input, std::int64_t block, float* u,
                       std::int64_t u_plane) {
  // The shape's sides: transposed, its inputs are the plain weights' outputs.
  const std::int64_t lane_count = (a.transposed ? a.inputs : a.outputs) - block * kLanes;
  alignas(64) float tap[9][kLanes] = {};
  if (input < (a.transposed ? a.outputs : a.inputs)) {
    for (std::int64_t l = 0; l < smaller(kLanes, lane_count); ++l) {
      const std::int64_t lane = block * kLanes + l;
      const std::int64_t o = a.transposed ? input : lane, i = a.transposed ? lane : input;
      const float* const from = a.plain + (o * a.inputs + i) * 9;
      for (int k = 0; k < 9; ++k) tap[k][l] = from[a.transposed ? 8 - k : k];
    }
  }
  Floats half[Tile::points][3];
  for (int c = 0; c < 3; ++c) {
    const Floats g[3] = {load(tap[c]), load(tap[3 + c]), load(tap[6 + c])};
    Floats t[Tile::points];
    Tile::filter(g, t);
#pragma GCC unroll 10
    for (int p = 0; p < Tile::points; ++p) half[p][c] = t[p];
  }
  for (int p = 0; p < Tile::points; ++p) {
    Floats t[Tile::points];
    Tile::filter(half[p], t);
#pragma GCC unroll 10
    for (int q = 0; q < Tile::points; ++q) store_through(u + (p * Tile::points + q) * u_plane, t[q]);
  }
}

template <class Tile>
void transform_weights_by(const Queue& queue, const WinogradWeights& a) {
  const WinogradShape& s = a.shape;
  const std::int64_t depth = s.in_channels();
#pragma omp parallel num_threads(queue.threads)
  {
    const Share share(s.out_blocks * depth, omp_get_thread_num(), omp_get_num_threads());
    for (std::int64_t i = share.begin; i < share.end; ++i) {
      const std::int64_t block = i / depth, input = i % depth;
      const Panel panel(s, block / kPanelVectors);
      transform_filters<Tile>(a, input, block,
                              a.u + panel.offset(s) + (input * panel.columns + block - panel.block) * kLanes,
                              depth * s.out_channels());
    }
    publish();
  }
}

/// Adds the filters' gradient of kLanes inputs from `input` on and one block of outputs: at point p, input i
/// and output o it is du[p * plane + i * row + o].
template <class Tile>
void add_filters(const WinogradWeightGradient& a, std::int64_t input, std::int64_t block, const float* du,
                 std::int64_t plane, std::int64_t row) {
  const std::int64_t inputs = smaller(kLanes, a.inputs - input);
  const std::int64_t outputs = smaller(kLanes, a.outputs - block * kLanes);
  // By output: what lies side by side in dw.
  alignas(64) float gradient[kLanes][kLanes * 9];
  for (std::int64_t i = 0; i < inputs; ++i) {
    Floats half[3][Tile::points];
    for (int p = 0; p < Tile::points; ++p) {
      Floats t[Tile::points], g[3];
#pragma GCC unroll 10
      for (int q = 0; q < Tile::points; ++q) t[q] = load(du + (p * Tile::points + q) * plane + i * row);
      Tile::filter_adjoint(t, g);
      for (int c = 0; c < 3; ++c) half[c][p] = g[c];
    }
    alignas(64) float tap[9][kLanes];
    for (int c = 0; c < 3; ++c) {
      Floats g[3];
      Tile::filter_adjoint(half[c], g);
      for (int r = 0; r < 3; ++r) store(tap[r * 3 + c], g[r]);
    }
    for (int l = 0; l < kLanes; ++l)
      for (int k = 0; k < 9; ++k) gradient[l][i * 9 + k] = tap[k][l];
  }
  for (std::int64_t l = 0; l < outputs; ++l) {
    float* const to = a.dw + ((block * kLanes + l) * a.inputs + input) * 9;
    for (std::int64_t k = 0; k < inputs * 9; ++k) to[k] += gradient[l][k];
  }
}

/// V and the gradient's values at the points, and where what they make goes.
struct GradientValues {
  const float* v;
  std::int64_t v_plane;
  const float* z;
  std::int64_t z_plane;
  float* du;
};

/// The products of a point over `count` tiles, for inputs from `input` on and one panel of outputs.
Product gradient_product(const WinogradShape& s, const GradientValues& at, std::int64_t p, std::int64_t input,
                         const Panel& panel, std::int64_t count) {
  return {.a = at.v + p * at.v_plane + input,
          .a_row = 1,
          .a_depth = s.in_channels(),
          .b = at.z + p * at.z_plane + panel.block * kLanes,
          .b_depth = s.out_channels(),
          .depth = count};
}

/// One block of inputs and one panel of outputs, finished: all its points fit a cache.
template <class Tile>
void finish_filters(const WinogradWeightGradient& a, const GradientValues& at, std::int64_t in_block,
                    const Panel& panel, std::int64_t count) {
  const WinogradShape& s = a.shape;
  const std::int64_t row = panel.columns * kLanes;
  for (std::int64_t p = 0; p < s.points(); ++p) {
    Product product = gradient_product(s, at, p, in_block * kLanes, panel, count);
    product.c = at.du + p * s.gradient_plane();
    product.c_row = row;
    multiply<true>(kLanes, panel.columns, product, false);
  }
  for (std::int64_t j = 0; j < panel.columns; ++j)
    add_filters<Tile>(a, in_block * kLanes, panel.block + j, at.du + j * kLanes, s.gradient_plane(), row);
}

/// One point and panel of outputs, of a block of `count` tiles, added to those before.
void add_point(const WinogradShape& s, const GradientValues& at, std::int64_t p, const Panel& panel,
               std::int64_t count, bool first) {
  Product product = gradient_product(s, at, p, 0, panel, count);
  product.c = at.du + p * s.in_channels() * s.out_channels() + panel.block * kLanes;
  product.c_row = s.out_channels();
  multiply<true>(s.in_channels(), panel.columns, product, !first);
}

template <class Tile>
void weight_gradient_by(const Queue& queue, const WinogradWeightGradient& a) {
  const WinogradShape& s = a.shape;
  const std::int64_t tiles = s.tiles(), block = a.blocking.tiles;
  const std::int64_t inputs = s.in_channels(), outputs = s.out_channels();
  const std::int64_t v_plane = s.in_plane(block), z_plane = s.out_plane(block);
  float* const v = a.scratch;
  float* const z = v + s.points() * v_plane;
  float* const du = z + s.points() * z_plane;
#pragma omp parallel num_threads(queue.threads)
  {
    const std::int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    for (std::int64_t first = 0; first < tiles; first += block) {
      const std::int64_t count = smaller(block, tiles - first);
      const std::int64_t blocks = s.in_blocks + s.out_blocks;
      const Share share(count * blocks, thread, threads);
      for (std::int64_t i = share.begin; i < share.end; ++i) {
        const std::int64_t t = i / blocks, b = i % blocks;
        if (b < s.in_blocks) {
          transform_data<Tile>(s, a.x, nullptr, first + t, b, v + t * inputs + b * kLanes, v_plane);
        } else {
          const std::int64_t out = b - s.in_blocks;
          transform_gradient<Tile>(s, a.dy, first + t, out, z + t * outputs + out * kLanes, z_plane);
        }
      }
#pragma omp barrier
      if (a.blocking.whole) {
        float* const own = du + thread * s.points() * s.gradient_plane();
        const Share mine(s.in_blocks * s.panels(), thread, threads);
        for (std::int64_t i = mine.begin; i < mine.end; ++i)
          finish_filters<Tile>(a, {v, v_plane, z, z_plane, own}, i % s.in_blocks, Panel(s, i / s.in_blocks),
                               count);
      } else {
        const Share mine(s.points() * s.panels(), thread, threads);
        for (std::int64_t i = mine.begin; i < mine.end; ++i)
          add_point(s, {v, v_plane, z, z_plane, du}, i / s.panels(), Panel(s, i % s.panels()), count,
                    first == 0);
      }
#pragma omp barrier
    }
    if (!a.blocking.whole) {
      const Share mine(s.in_blocks * s.out_blocks, thread, threads);
      for (std::int64_t i = mine.begin; i < mine.end; ++i) {
        const std::int64_t input = i / s.out_blocks * kLanes, out = i % s.out_blocks;
        add_filters<Tile>(a, input, out, du + input * outputs + out * kLanes, inputs * outputs, outputs);
      }
    }
  }
}

/// Calls body(Tile{}) of the tile that is meant.
template <class Body>
void with_tile(WinogradTile tile, const Body& body) {
  switch (tile) {
    case WinogradTile::f4:
      return body(F4{});
    case WinogradTile::f7:
      return body(F7{});
    case WinogradTile::f8:
      return body(F8{});
  }
}

void transform_weights(const Queue& queue, const WinogradWeights& a) {
  with_tile(a.shape.tile, [&]<class Tile>(Tile) { transform_weights_by<Tile>(queue, a); });
}

void convolve(const Queue& queue, const WinogradConvolve& a) {
  with_tile(a.shape.tile, [&]<class Tile>(Tile) { convolve_by<Tile>(queue, a); });
}

void weight_gradient(const Queue& queue, const WinogradWeightGradient& a) {
  with_tile(a.shape.tile, [&]<class Tile>(Tile) { weight_gradient_by<Tile>(queue, a); });
}

}  // namespace

extern const WinogradKernels kWinogradKernels;
const WinogradKernels kWinogradKernels{kLanes == 16 ? "avx512" : "avx2", kLanes, transform_weights, convolve,
                                       weight_gradient};

INOCULA_END_TARGET
