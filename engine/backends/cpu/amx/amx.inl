// The kernels of AMX's convolutions: weights into tiles, activations into records, products, epilogue.
#include <immintrin.h>
#include <omp.h>

#include <cstdint>
#include <cstring>

#include "engine/backends/cpu/amx/amx.h"
#include "engine/backends/cpu/share.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

namespace {

using namespace cpu;

std::int64_t parts_of(std::int64_t whole, std::int64_t part) {
  return (whole + part - 1) / part;
}

/// Eight tiles of 16 rows of 64 bytes, as LDTILECFG reads them.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);

/// Tiles are this thread's while it lives.
class Tiles {
 public:
  Tiles() {
    const TileShapes shapes;
    asm volatile("ldtilecfg %0" ::"m"(shapes));
  }
  ~Tiles() { asm volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// By number: the compiler's own names for these take literals alone.
template <int kTile>
[[gnu::always_inline]] inline void clear_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
template <int kTile>
[[gnu::always_inline]] inline void load_tile(const void* from, std::int64_t row_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row_bytes), "i"(kTile) : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void store_tile(void* to, std::int64_t row_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(row_bytes), "i"(kTile) : "memory");
}
/// sum += a b
template <int kSum, int kA, int kB>
[[gnu::always_inline]] inline void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
}

/// Elements from an image's first to those of a block of kAmxColumns channels.
std::int64_t block_offset(const PlaneShape& s, std::int64_t block) {
  const std::int64_t channel = block * kAmxColumns;
  return channel / s.block * s.plane_size() + channel % s.block;
}
std::int64_t image_size(const PlaneShape& s) {
  return s.blocks() * s.plane_size();
}
std::int64_t channel_blocks(const PlaneShape& s) {
  return s.padded_channels() / kAmxColumns;
}

__m256i load_half(const Bf16* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
void store_half(Bf16* to, __m256i v) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), v);
}

void clear_halves(Bf16* to, std::int64_t count) {
  for (std::int64_t j = 0; j < count; ++j) store_half(to + j * kAmxRecord, _mm256_setzero_si256());
}

/// The planes of a phase for `count` images from `first` on, and zeros where a group has no more of them.
void pack(const AmxConvolve& a, const AmxPhase& phase, std::int64_t first, std::int64_t count,
          Bf16* records) {
  const PlaneShape& s = a.shape.source;
  for (std::int64_t p = 0; p < phase.plane_count; ++p) {
    const AmxPlane& plane = phase.planes[p];
    const std::int64_t width = parts_of(s.width - plane.col, a.shape.step_w);
    for (std::int64_t h = 0; h < 2; ++h) {
      const AmxHalf& half = plane.half[h];
      Bf16* const to = records + (plane.at - half.lead) * kAmxRecord + h * kAmxColumns;
      clear_halves(to - plane.before * kAmxRecord, plane.before);
      for (std::int64_t i = 0; i < plane.rows; ++i) {
        const std::int64_t row = plane.row + i * a.shape.step_h;
        const bool there = row >= 0 && row < s.height && half.block >= 0;
        for (std::int64_t g = 0; g < a.shape.images; ++g) {
          Bf16* const line = to + (i * a.shape.images + g) * phase.row_records * kAmxRecord;
          if (!there || g >= count) {
            clear_halves(line, phase.row_records);
            continue;
          }
          const Bf16* const from = a.x + (first + g) * image_size(s) + block_offset(s, half.block) +
                                   (row * s.width + plane.col) * s.block;
          const std::int64_t step = a.shape.step_w * s.block;
          for (std::int64_t j = 0; j < width; ++j)
            store_half(line + j * kAmxRecord, load_half(from + j * step));
          clear_halves(line + width * kAmxRecord, phase.row_records - width);
        }
      }
    }
  }
}

/// Sums of kRows x kColumns tiles over all steps, stored as rows of kColumns x 16 floats.
template <int kRows, int kColumns>
[[gnu::noinline]] void multiply(const AmxPhase& phase, const Bf16* records, const Bf16* panels, float* sums) {
  constexpr std::int64_t kRowBytes = kAmxRecord * static_cast<std::int64_t>(sizeof(Bf16));
  constexpr int kA = 4, kB = 6;
  clear_tile<0>();
  if constexpr (kColumns == 2) clear_tile<1>();
  if constexpr (kRows == 2) clear_tile<2>();
  if constexpr (kRows == 2 && kColumns == 2) clear_tile<3>();
  for (std::int64_t k = 0; k < phase.step_count; ++k) {
    const Bf16* const from = records + phase.steps[k].at * kAmxRecord;
    load_tile<kB>(panels, kRowBytes);
    load_tile<kA>(from, kRowBytes);
    multiply_tiles<0, kA, kB>();
    if constexpr (kColumns == 2) {
      load_tile<kB + 1>(panels + kAmxPanel, kRowBytes);
      multiply_tiles<1, kA, kB + 1>();
    }
    if constexpr (kRows == 2) {
      load_tile<kA + 1>(from + kAmxRows * kAmxRecord, kRowBytes);
      multiply_tiles<2, kA + 1, kB>();
      if constexpr (kColumns == 2) multiply_tiles<3, kA + 1, kB + 1>();
    }
    panels += kColumns * kAmxPanel;
  }
  constexpr std::int64_t kSumBytes = kColumns * kAmxColumns * static_cast<std::int64_t>(sizeof(float));
  store_tile<0>(sums, kSumBytes);
  if constexpr (kColumns == 2) store_tile<1>(sums + kAmxColumns, kSumBytes);
  if constexpr (kRows == 2) store_tile<2>(sums + kAmxRows * kColumns * kAmxColumns, kSumBytes);
  if constexpr (kRows == 2 && kColumns == 2)
    store_tile<3>(sums + (kAmxRows * kColumns + 1) * kAmxColumns, kSumBytes);
}

__m512 widen(const Bf16* from) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_half(from)), 16));
}
void narrow(Bf16* to, __m512 v) {
  const __m256bh rounded = _mm512_cvtneps_pbh(v);
  std::memcpy(to, &rounded, sizeof rounded);
}

constexpr float kSmallestNormal = 0x1p-126f;

/// What follows the products of one output and block of channels, at element `i`.
[[gnu::always_inline]] inline void finish(const AmxConvolve& a, std::int64_t i, __m512 v, __m512 scale,
                                          __m512 bias) {
  v = _mm512_fmadd_ps(v, scale, bias);
  if (a.add != nullptr) v = _mm512_add_ps(v, widen(a.add + i));
  // A NaN stays.
  if (a.relu) v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NLE_UQ), v);
  if (a.mask != nullptr) {
    __mmask16 bits;
    std::memcpy(&bits, a.mask + i / 8, sizeof bits);
    v = _mm512_maskz_mov_ps(bits, v);
  }
  narrow(a.y + i, v);
  if (a.positive != nullptr) {
    // What is stored counts: a subnormal number becomes 0.
    const __mmask16 bits = _mm512_cmp_ps_mask(v, _mm512_set1_ps(kSmallestNormal), _CMP_GE_OQ);
    std::memcpy(a.positive + i / 8, &bits, sizeof bits);
  }
}

/// All outputs of a phase in kColumns blocks of channels from `block` on.
template <int kColumns>
void compute_blocks(const AmxConvolve& a, const AmxPhase& phase, std::int64_t first, std::int64_t count,
                    std::int64_t block, const Bf16* panels, const Bf16* records) {
  alignas(64) float sums[2 * kAmxRows * kColumns * kAmxColumns];
  __m512 scale[kColumns], bias[kColumns];
  std::int64_t at[kColumns];
  for (int j = 0; j < kColumns; ++j) {
    const std::int64_t channel = (block + j) * kAmxColumns;
    scale[j] = a.scale != nullptr ? _mm512_loadu_ps(a.scale + channel) : _mm512_set1_ps(1);
    bias[j] = a.bias != nullptr ? _mm512_loadu_ps(a.bias + channel) : _mm512_setzero_ps();
    at[j] = first * image_size(a.shape.result) + block_offset(a.shape.result, block + j);
  }
  for (std::int64_t m = 0; m < phase.position_count; m += 2 * kAmxRows) {
    const std::int64_t outputs = smaller(2 * kAmxRows, phase.position_count - m);
    if (outputs > kAmxRows)
      multiply<2, kColumns>(phase, records + m * kAmxRecord, panels, sums);
    else
      multiply<1, kColumns>(phase, records + m * kAmxRecord, panels, sums);
    for (std::int64_t r = 0; r < outputs; ++r) {
      const AmxPosition& position = phase.positions[m + r];
      if (position.image >= count) continue;  // another image's place, or a row's zeros
#pragma GCC unroll 2
      for (int j = 0; j < kColumns; ++j)
        finish(a, at[j] + position.offset, _mm512_load_ps(sums + (r * kColumns + j) * kAmxColumns), scale[j],
               bias[j]);
    }
  }
}

void convolve(const Queue& queue, const AmxConvolve& a) {
  const AmxShape& s = a.shape;
  const std::int64_t groups = parts_of(s.result.batch, s.images), blocks = channel_blocks(s.result);
#pragma omp parallel num_threads(queue.threads)
  {
    // With fewer groups than threads the first ones do them all.
    const std::int64_t thread = omp_get_thread_num(), threads = smaller(omp_get_num_threads(), groups);
    const Tiles tiles;
    Bf16* const records = a.scratch + thread * amx_scratch(s);
    const Share mine(thread < threads ? groups : 0, thread, threads);
    for (std::int64_t group = mine.begin; group < mine.end; ++group) {
      const std::int64_t first = group * s.images, count = smaller(s.images, s.result.batch - first);
      for (std::int64_t p = 0; p < s.phase_count; ++p) {
        const AmxPhase& phase = s.phases[p];
        pack(a, phase, first, count, records);
        for (std::int64_t block = 0; block < blocks; block += 2) {
          const Bf16* const panels = a.weights + phase.weights + block * phase.step_count * kAmxPanel;
          if (block + 1 < blocks)
            compute_blocks<2>(a, phase, first, count, block, panels, records);
          else
            compute_blocks<1>(a, phase, first, count, block, panels, records);
        }
      }
    }
  }
}

/// The weights of a step and a block of channels: pairs of the source's channels by channels.
void prepare_panel(const AmxWeights& a, const AmxPhase& phase, const AmxStep& step, std::int64_t block,
                   Bf16* to) {
  const std::int64_t taps = a.window_h * a.window_w;
  const std::int64_t results = a.transposed ? a.inputs : a.outputs;
  const std::int64_t sources = a.transposed ? a.outputs : a.inputs;
  const std::int64_t first = block * kAmxColumns, lanes = smaller(kAmxColumns, results - first);
  const std::int64_t result_stride = a.transposed ? taps : a.inputs * taps;
  const std::int64_t source_stride = a.transposed ? a.inputs * taps : taps;
  const __mmask16 there = static_cast<__mmask16>((1u << lanes) - 1);
  const __m512i index =
      _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                         _mm512_set1_epi32(static_cast<int>(result_stride)));
  for (std::int64_t k = 0; k < kAmxRecord; k += 2) {
    const AmxHalf& half = phase.planes[step.plane].half[k / kAmxColumns];
    const std::int64_t tap = step.tap[k / kAmxColumns];
    __m512 v[2];
    for (int e = 0; e < 2; ++e) {
      const std::int64_t source = half.block * kAmxColumns + k % kAmxColumns + e;
      v[e] = _mm512_setzero_ps();
      if (half.block < 0 || tap < 0 || source >= sources) continue;
      const float* const from = a.plain + first * result_stride + source * source_stride + tap;
      v[e] = _mm512_mask_i32gather_ps(v[e], there, index, from, sizeof(float));
      if (a.scale != nullptr)
        v[e] = _mm512_mul_ps(v[e], a.transposed ? _mm512_set1_ps(a.scale[source])
                                                : _mm512_maskz_loadu_ps(there, a.scale + first));
    }
    // A pair side by side in every lane.
    const __m512i even = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v[0])));
    const __m512i odd = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v[1])));
    _mm512_store_si512(to + k * kAmxColumns, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
  }
}

void prepare_weights(const Queue& queue, const AmxWeights& a) {
  const std::int64_t blocks = channel_blocks(a.shape.result);
#pragma omp parallel num_threads(queue.threads)
  {
    const std::int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    for (std::int64_t p = 0; p < a.shape.phase_count; ++p) {
      const AmxPhase& phase = a.shape.phases[p];
      const std::int64_t panels = phase.step_count * blocks;
      const Share mine(panels, thread, threads);
      for (std::int64_t i = mine.begin; i < mine.end; ++i) {
        // Two blocks take turns, and a last one stands alone.
        const std::int64_t pair = i / (2 * phase.step_count) * 2, within = i - pair * phase.step_count;
        const std::int64_t together = smaller(2, blocks - pair);
        prepare_panel(a, phase, phase.steps[within / together], pair + within % together,
                      a.to + phase.weights + i * kAmxPanel);
      }
    }
  }
}

}  // namespace

extern const AmxKernels kAmxKernels;
const AmxKernels kAmxKernels{prepare_weights, convolve};

INOCULA_END_TARGET
