// A map over activations whose coefficients belong to channels, with its sign bits packed or let pass by
// bits.
//
// The activation is cut into pieces of 2048 elements whatever its layout: work is even over threads for any
// shape, and a piece is still in the first-level cache when its bits are packed.
#pragma once

#include <cstdint>

#include "kernels/bits.h"
#include "kernels/for_each.h"
#include "kernels/planes.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// A multiple of 8 (bits are written in whole bytes) and of 16 (a group never straddles two pieces).
inline constexpr std::int64_t kMapPiece = 2048;

/// What a map needs to know of one channel of one sample.
template <int kCount>
struct Coefficients {
  float v[kCount];
};

/// `Body` has `kCoefficients`, `coefficients(n, c)`, and `operator()(i, coefficients)`: the new to[i] from
/// elements i of its own arrays. `to` may be one of them.
template <class Body>
struct MapPlanes {
  using Channel = Coefficients<Body::kCoefficients>;

  Body body;
  PlaneShape shape;
  float* to = nullptr;
  const std::uint8_t* keep = nullptr;  ///< where its bit is clear, to[i] = 0; may be null
  std::uint8_t* positive = nullptr;    ///< receives the bits to[i] > 0; may be null

#if !defined(INOCULA_CUDA)

  void operator()(std::int64_t piece, const Team& team) const {
    const std::int64_t first = piece * kMapPiece;
    const std::int64_t size = shape.size();
    const std::int64_t last = first + kMapPiece < size ? first + kMapPiece : size;
    const std::int64_t plane_size = shape.plane_size();
    const std::int64_t blocks = shape.blocks();
    std::int64_t plane = first / plane_size;
    for (std::int64_t begin = first; begin < last; ++plane) {
      const std::int64_t plane_end = (plane + 1) * plane_size;
      const std::int64_t end = plane_end < last ? plane_end : last;
      const std::int64_t n = plane / blocks;
      const std::int64_t c = (plane - n * blocks) * shape.block;
      switch (shape.block) {
        case 1:
          run<1>(begin, end, n, c);
          break;
        case 8:
          run<8>(begin, end, n, c);
          break;
        case 16:
          run<16>(begin, end, n, c);
          break;
        default:
          run_pixels(begin, end, plane * plane_size, n, c);
      }
      begin = end;
    }
    if (keep != nullptr) keep_where_set(to + first, last - first, keep + first / 8);
    if (positive != nullptr) pack_positive_bits(team, to + first, last - first, positive + first / 8);
  }

 private:
  /// Elements of one plane whose block divides 16: every group of 16 sees the same coefficients.
  template <int kBlock>
  void run(std::int64_t begin, std::int64_t end, std::int64_t n, std::int64_t c) const {
    const Body f = body;
    float* const out = to;
    float lane[Body::kCoefficients][16];
    for (int l = 0; l < kBlock; ++l) {
      const Channel channel = f.coefficients(n, c + l);
      for (int k = 0; k < Body::kCoefficients; ++k)
        for (int copy = l; copy < 16; copy += kBlock) lane[k][copy] = channel.v[k];
    }
    const auto map = [&](std::int64_t i, int l) {
      Channel channel;
      for (int k = 0; k < Body::kCoefficients; ++k) channel.v[k] = lane[k][l];
      out[i] = f(i, channel);
    };
    std::int64_t i = begin;
    for (; i + 16 <= end; i += 16) {
#pragma omp simd
      for (int l = 0; l < 16; ++l) map(i + l, l);
    }
    for (; i < end; ++i) map(i, static_cast<int>(i - begin) % 16);
  }

  /// Elements of one plane of any block, pixel by pixel.
  void run_pixels(std::int64_t begin, std::int64_t end, std::int64_t plane_begin, std::int64_t n,
                  std::int64_t c) const {
    const Body f = body;
    float* const out = to;
    while (begin < end) {
      const std::int64_t offset = (begin - plane_begin) % shape.block;
      const std::int64_t pixel_end = begin - offset + shape.block;
      const std::int64_t stop = pixel_end < end ? pixel_end : end;
      const std::int64_t channel = c + offset - begin;
#pragma omp simd
      for (std::int64_t i = begin; i < stop; ++i) out[i] = f(i, f.coefficients(n, channel + i));
      begin = stop;
    }
  }

#else  // CUDA

  __device__ void operator()(std::int64_t piece, const Team&) const {
    const std::int64_t first = piece * kMapPiece;
    const std::int64_t size = shape.size();
    const std::int64_t plane_size = shape.plane_size();
    const std::int64_t blocks = shape.blocks();
    const std::int64_t first_plane = first / plane_size;
    for (std::int64_t base = first; base < first + kMapPiece && base < size; base += kRowThreads) {
      const std::int64_t i = base + threadIdx.x;
      float v = 0;
      if (i < size) {
        // Within a piece 32 bits suffice: a plane is smaller than 2^31 elements.
        const std::uint32_t offset = static_cast<std::uint32_t>(i - first_plane * plane_size);
        const std::uint32_t skipped = offset / static_cast<std::uint32_t>(plane_size);
        const std::uint32_t in_plane = offset - skipped * static_cast<std::uint32_t>(plane_size);
        const std::uint32_t plane = static_cast<std::uint32_t>(first_plane) + skipped;
        const std::uint32_t n = plane / static_cast<std::uint32_t>(blocks);
        const std::int64_t c =
            (plane - n * blocks) * shape.block + in_plane % static_cast<std::uint32_t>(shape.block);
        v = body(i, body.coefficients(n, c));
        if (keep != nullptr && !bit_at(keep, i)) v = 0;
        to[i] = v;
      }
      if (positive != nullptr) pack_bit(v > 0, i, size, positive);
    }
  }

#endif
};

/// to[i] = body(i, body.coefficients(sample, channel)) for every element, then `keep` and `positive`.
template <class Body>
void map_planes(const Queue& queue, const PlaneShape& shape, const Body& body, float* to,
                const std::uint8_t* keep, std::uint8_t* positive) {
  const std::int64_t pieces = (shape.size() + kMapPiece - 1) / kMapPiece;
  for_each_row(queue, pieces, kMapPiece, MapPlanes<Body>{body, shape, to, keep, positive});
}

INOCULA_END_TARGET
