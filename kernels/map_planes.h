// A map over activations whose coefficients belong to channels, with its sign bits packed or let pass by
// bits.
//
// The activation is cut into pieces of 2048 elements whatever its layout: work is even over threads for any
// shape, and a piece is still in the first-level cache when its bits are packed.
#pragma once

#include <cstdint>

#include "kernels/bits.h"
#include "kernels/for_each.h"
#include "kernels/octet.h"
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

/// `Body` has `kSources` arrays `source[]` of T, `kCoefficients`, `coefficients(n, c)`, and `operator()(v,
/// coefficients)`: the new to[i], a float, from v[s] = source[s][i]. `to` may be one of the sources; it is
/// stored as T. With `kPerSample` the coefficients depend on n.
template <class T, class Body>
struct MapPlanes {
  using Channel = Coefficients<Body::kCoefficients>;
  static constexpr int kValues = Body::kSources > 0 ? Body::kSources : 1;

  Body body;
  PlaneShape shape;
  T* to = nullptr;
  const std::uint8_t* keep = nullptr;  ///< where its bit is clear, to[i] = 0; may be null
  std::uint8_t* positive = nullptr;    ///< receives the bits to[i] > 0 of what was stored; may be null

#if !defined(INOCULA_CUDA)

  static constexpr std::int64_t kPieces = 1;  ///< of a row of the launch

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
          shape.block % 16 == 0 ? run_groups(begin, end, plane * plane_size, n, c)
                                : run_pixels(begin, end, plane * plane_size, n, c);
      }
      begin = end;
    }
    if (keep != nullptr) keep_where_set(to + first, last - first, keep + first / 8);
    if (positive != nullptr) pack_positive_bits(team, to + first, last - first, positive + first / 8);
  }

 private:
  static float value(const Body& f, std::int64_t i, const Channel& channel) {
    float v[kValues] = {};
    if constexpr (Body::kSources > 0)
      for (int s = 0; s < Body::kSources; ++s) v[s] = to_float(f.source[s][i]);
    return f(v, channel);
  }

  /// Coefficients of sixteen neighbouring elements.
  struct Lanes {
    float v[Body::kCoefficients][16];
    Channel channel(int l) const {
      Channel one;
      for (int k = 0; k < Body::kCoefficients; ++k) one.v[k] = v[k][l];
      return one;
    }
  };
  template <int kBlock>
  static Lanes lanes_of(const Body& f, std::int64_t n, std::int64_t c) {
    Lanes lanes;
    for (int l = 0; l < kBlock; ++l) {
      const Channel channel = f.coefficients(n, c + l);
      for (int k = 0; k < Body::kCoefficients; ++k)
        for (int copy = l; copy < 16; copy += kBlock) lanes.v[k][copy] = channel.v[k];
    }
    return lanes;
  }

  /// Elements of one plane whose block divides 16: every group of 16 sees the same coefficients.
  template <int kBlock>
  void run(std::int64_t begin, std::int64_t end, std::int64_t n, std::int64_t c) const {
    const Body f = body;
    T* const out = to;
    const Lanes lanes = lanes_of<kBlock>(f, n, c);
    std::int64_t i = begin;
    for (; i + 16 <= end; i += 16) {
#pragma omp simd
      for (int l = 0; l < 16; ++l) store(out + i + l, value(f, i + l, lanes.channel(l)));
    }
    for (; i < end; ++i) store(out + i, value(f, i, lanes.channel(static_cast<int>(i - begin) % 16)));
  }

  /// Elements of one plane whose block is a multiple of 16: sixteen channels of every pixel, then the next
  /// sixteen.
  void run_groups(std::int64_t begin, std::int64_t end, std::int64_t plane_begin, std::int64_t n,
                  std::int64_t c) const {
    const Body f = body;
    T* const out = to;
    for (std::int64_t group = 0; group < shape.block; group += 16) {
      const std::int64_t pixels_before = (begin - plane_begin - group + shape.block - 1) / shape.block;
      std::int64_t i = plane_begin + pixels_before * shape.block + group;
      if (i >= end) continue;
      const Lanes lanes = lanes_of<16>(f, n, c + group);
      for (; i < end; i += shape.block) {
#pragma omp simd
        for (int l = 0; l < 16; ++l) store(out + i + l, value(f, i + l, lanes.channel(l)));
      }
    }
  }

  /// Elements of one plane of any block, pixel by pixel.
  void run_pixels(std::int64_t begin, std::int64_t end, std::int64_t plane_begin, std::int64_t n,
                  std::int64_t c) const {
    const Body f = body;
    T* const out = to;
    while (begin < end) {
      const std::int64_t offset = (begin - plane_begin) % shape.block;
      const std::int64_t pixel_end = begin - offset + shape.block;
      const std::int64_t stop = pixel_end < end ? pixel_end : end;
      const std::int64_t channel = c + offset - begin;
#pragma omp simd
      for (std::int64_t i = begin; i < stop; ++i) store(out + i, value(f, i, f.coefficients(n, channel + i)));
      begin = stop;
    }
  }

#else  // CUDA

  static constexpr std::int64_t kPieces = 4;
  static_assert(kMapPiece == kRowThreads * kOctet && kPieces * kMapPiece >= kRowThreads * kThreadElements,
                "pieces are cut for the largest team");

  __device__ void operator()(std::int64_t row, const Team&) const {
    if (shape.block % kOctet == 0) {
      map_octets(row);
    } else {
      map_elements(row);
    }
  }

 private:
  struct Place {
    std::uint32_t n;
    std::int64_t c;
  };
  __device__ Place place(std::int64_t i) const {
    const std::int64_t plane = i / shape.plane_size();
    // A plane is smaller than 2^31 elements; 32-bit divisions are many times faster.
    const std::uint32_t in_plane = static_cast<std::uint32_t>(i - plane * shape.plane_size());
    const std::uint32_t n = static_cast<std::uint32_t>(plane) / static_cast<std::uint32_t>(shape.blocks());
    return {n,
            (plane - n * shape.blocks()) * shape.block + in_plane % static_cast<std::uint32_t>(shape.block)};
  }

  /// Eight channels a thread. Where a piece holds whole pixels of all channels, a thread meets the same eight
  /// in every piece and reads their coefficients once.
  __device__ void map_octets(std::int64_t row) const {
    const std::int64_t size = shape.size();
    const bool same_channels = !Body::kPerSample && shape.blocks() == 1 && kMapPiece % shape.block == 0;
    Channel channel[kOctet] = {};
    for (std::int64_t piece = 0; piece < kPieces; ++piece) {
      const std::int64_t i = (row * kPieces + piece) * kMapPiece + std::int64_t{threadIdx.x} * kOctet;
      if (i >= size) break;
      if (piece == 0 || !same_channels) {
        const Place at = place(i);
        for (int l = 0; l < kOctet; ++l) channel[l] = body.coefficients(at.n, at.c + l);
      }
      float v[kValues][kOctet];
      if constexpr (Body::kSources > 0)
        for (int s = 0; s < Body::kSources; ++s) load_octet(body.source[s] + i, v[s]);
      const std::uint32_t kept = keep != nullptr ? keep[i / kOctet] : 0xFFu;
      float result[kOctet];
      for (int l = 0; l < kOctet; ++l) {
        float of_lane[kValues];
        for (int s = 0; s < kValues; ++s) of_lane[s] = v[s][l];
        const float mapped = body(of_lane, channel[l]);
        result[l] = (kept >> l & 1u) != 0 ? mapped : 0.0f;
      }
      const std::uint32_t bits = store_octet(to + i, result);
      if (positive != nullptr) positive[i / kOctet] = static_cast<std::uint8_t>(bits);
    }
  }

  __device__ void map_elements(std::int64_t row) const {
    const std::int64_t size = shape.size();
    const std::int64_t first = row * kPieces * kMapPiece;
    for (std::int64_t base = first; base < first + kPieces * kMapPiece && base < size; base += kRowThreads) {
      const std::int64_t i = base + threadIdx.x;
      bool is_positive = false;
      if (i < size) {
        const Place at = place(i);
        float v[kValues] = {};
        if constexpr (Body::kSources > 0)
          for (int s = 0; s < Body::kSources; ++s) v[s] = to_float(body.source[s][i]);
        const float mapped = body(v, body.coefficients(at.n, at.c));
        store(to + i, keep != nullptr && !bit_at(keep, i) ? 0.0f : mapped);
        is_positive = to_float(to[i]) > 0;
      }
      if (positive != nullptr) pack_bit(is_positive, i, size, positive);
    }
  }

#endif
};

/// to[i] = body(its sources' elements i, body.coefficients(sample, channel)) for every element, then `keep`
/// and `positive`.
template <class T, class Body>
void map_planes(const Queue& queue, const PlaneShape& shape, const Body& body, T* to,
                const std::uint8_t* keep, std::uint8_t* positive) {
  constexpr std::int64_t kRow = MapPlanes<T, Body>::kPieces * kMapPiece;
  for_each_row(queue, (shape.size() + kRow - 1) / kRow, kRow,
               MapPlanes<T, Body>{body, shape, to, keep, positive});
}

INOCULA_END_TARGET
