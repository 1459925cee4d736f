// Planes, steps and positions of a pass, and whether this machine can run it.
#include "engine/backends/cpu/amx/pass.h"

#include <algorithm>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace inocula::cpu_amx {
extern const cpu::AmxKernels kAmxKernels;
}
#endif

namespace inocula::cpu {

namespace {

std::int64_t parts_of(std::int64_t whole, std::int64_t part) {
  return (whole + part - 1) / part;
}
std::int64_t remainder(std::int64_t a, std::int64_t b) {
  return (a % b + b) % b;
}

bool amx_is_granted() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kAmxBf16) == 0 || (d & kAmxTile) == 0)
    return false;
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq"))
    return false;
  // Linux hands the tiles' registers out to processes that ask for them.
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

const AmxKernels* find_amx_kernels() {
#if defined(__x86_64__) && defined(__linux__)
  static const bool granted = amx_is_granted();
  return granted ? &cpu_amx::kAmxKernels : nullptr;
#else
  return nullptr;
#endif
}

/// One row or column of the window: output i reads line i * step + line of the source.
struct AmxPass::Tap {
  std::int64_t line, index;
};

/// Those of the window along one dimension that some outputs use, and these outputs.
struct AmxPass::Taps {
  std::vector<Tap> taps = {};         ///< by rising line
  std::int64_t count = 0;             ///< outputs
  std::int64_t first = 0, apart = 1;  ///< where they lie in the result
  std::int64_t step = 1;              ///< source lines from one to the next
};

/// Taps whose lines are a whole number of steps apart: they read the same plane. Lines are in steps from
/// `line`.
struct AmxPass::Family {
  std::int64_t line = 0;
  std::vector<Tap> taps = {};

  std::int64_t low() const { return taps.front().line; }
  std::int64_t high() const { return taps.back().line; }
  bool consecutive() const { return high() - low() + 1 == static_cast<std::int64_t>(taps.size()); }
};

namespace {

/// Along one dimension: all outputs of a forward pass use the same taps; those of a backward pass the ones
/// that met them, by their place modulo the stride.
template <class Taps>
std::vector<Taps> divide(AmxDirection direction, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                         std::int64_t dilation, std::int64_t results) {
  if (direction == AmxDirection::forward) {
    Taps t{.count = results, .step = stride};
    for (std::int64_t k = 0; k < kernel; ++k) t.taps.push_back({k * dilation - pad, k});
    return {t};
  }
  std::vector<Taps> all;
  for (std::int64_t place = 0; place < std::min(stride, results); ++place) {
    Taps t{.count = parts_of(results - place, stride), .first = place, .apart = stride};
    for (std::int64_t k = kernel - 1; k >= 0; --k) {
      const std::int64_t line = place + pad - k * dilation;
      if (remainder(line, stride) == 0) t.taps.push_back({line / stride, k});
    }
    all.push_back(t);
  }
  return all;
}

/// The taps by families.
template <class Family, class Taps>
std::vector<Family> families(const Taps& t) {
  std::vector<Family> all;
  for (std::int64_t line = 0; line < t.step; ++line) {
    Family f{.line = line};
    for (const auto& tap : t.taps)
      if (remainder(tap.line, t.step) == line) f.taps.push_back({(tap.line - line) / t.step, tap.index});
    if (!f.taps.empty()) all.push_back(f);
  }
  return all;
}

}  // namespace

AmxPass::Phase AmxPass::lay_out(const ConvWindow& w, const Taps& rows, const Taps& cols) const {
  const PlaneShape &source = shape_.source, &result = shape_.result;
  const std::vector<Family> row_families = families<Family>(rows), col_families = families<Family>(cols);
  Phase phase;
  // A row's zeros serve its own last outputs and the next row's first ones.
  std::int64_t length = cols.count;
  for (const Family& f : col_families) {
    const std::int64_t width = parts_of(source.width - f.line, cols.step);
    length = std::max({length, cols.count + f.high(), width, width - f.low()});
  }

  const std::int64_t blocks = source.padded_channels() / kAmxColumns, line = shape_.images * length;
  std::int64_t records = 0;
  for (const Family& row : row_families)
    for (const Family& col : col_families)
      for (std::int64_t block = 0; block < blocks; block += 2) {
        AmxPlane plane{.row = row.line + row.low() * rows.step,
                       .col = col.line,
                       .rows = rows.count + row.high() - row.low(),
                       .half = {{block}, {}}};
        // A block without a partner stands beside its own next column: two taps at once.
        const bool paired = block + 1 < blocks;
        const bool twice = !paired && col.taps.size() > 1 && col.consecutive();
        if (paired) plane.half[1].block = block + 1;
        if (twice) plane.half[1] = {block, 1};
        plane.before = std::max<std::int64_t>(0, -col.low());
        plane.at = records + plane.before + plane.half[1].lead;
        const auto add = [&](const Tap& r, std::int64_t column, std::int64_t first, std::int64_t second) {
          const auto tap = [&](std::int64_t c) { return c < 0 ? c : r.index * w.kernel_w + c; };
          phase.steps.push_back({plane.at + (r.line - row.low()) * line + column,
                                 static_cast<std::int64_t>(phase.planes.size()),
                                 {tap(first), tap(second)}});
        };
        for (const Tap& r : row.taps) {
          const std::size_t taps = col.taps.size();
          for (std::size_t c = 0; c < taps; c += twice ? 2 : 1) {
            const Tap& tap = col.taps[c];
            if (!twice) {
              add(r, tap.line, tap.index, paired ? tap.index : -1);
            } else if (c + 1 < taps) {
              add(r, tap.line, tap.index, col.taps[c + 1].index);
            } else {
              // Beside the column before it: what comes after it may be of another image.
              add(r, tap.line - 1, -1, tap.index);
            }
          }
        }
        phase.planes.push_back(plane);
        records = plane.at + plane.rows * line;
      }
  phase.records = records + 2 * kAmxRows;  // of which a last tile may read some
  phase.row_records = length;

  for (std::int64_t row = 0; row < rows.count; ++row)
    for (std::int64_t image = 0; image < shape_.images; ++image)
      for (std::int64_t col = 0; col < length; ++col) {
        if (col >= cols.count) {
          phase.positions.push_back({0, kNoImage});
          continue;
        }
        const std::int64_t pixel =
            (rows.first + row * rows.apart) * result.width + cols.first + col * cols.apart;
        phase.positions.push_back(
            {static_cast<std::int32_t>(image * result.blocks() * result.plane_size() + pixel * result.block),
             static_cast<std::int32_t>(image)});
      }
  while (phase.positions.back().image == kNoImage) phase.positions.pop_back();
  return phase;
}

AmxPass::AmxPass(const ConvWindow& w, AmxDirection direction, const PlaneShape& source,
                 const PlaneShape& result, int threads) {
  const bool forward = direction == AmxDirection::forward;
  shape_ = {.source = source,
            .result = result,
            .step_h = forward ? w.stride_h : 1,
            .step_w = forward ? w.stride_w : 1};
  const auto rows = divide<Taps>(direction, w.kernel_h, w.stride_h, w.pad_h, w.dilation_h, result.height);
  const auto cols = divide<Taps>(direction, w.kernel_w, w.stride_w, w.pad_w, w.dilation_w, result.width);

  // As many images together as fill some tens of tiles, while their records stay about in the second cache;
  // and every thread as many as the others, or as near as groups of one size come to it.
  constexpr std::int64_t kOutputs = 784, kRecords = 1 << 14;
  std::int64_t image_records = 1, most_outputs = 1;
  for (const Taps& row : rows)
    for (const Taps& col : cols) {
      image_records = std::max(image_records, lay_out(w, row, col).records);
      most_outputs = std::max(most_outputs, row.count * col.count);
    }
  const std::int64_t share = parts_of(source.batch, threads);
  const std::int64_t fitting = std::clamp<std::int64_t>(
      std::min(parts_of(kOutputs, most_outputs), kRecords / image_records), 1, share);
  shape_.images = parts_of(share, parts_of(share, fitting));

  const std::int64_t blocks = result.padded_channels() / kAmxColumns;
  for (const Taps& row : rows)
    for (const Taps& col : cols) phases_.push_back(lay_out(w, row, col));
  for (const Phase& phase : phases_) {
    shape_.records = std::max(shape_.records, phase.records);
    views_.push_back({.row_records = phase.row_records,
                      .planes = phase.planes.data(),
                      .plane_count = static_cast<std::int64_t>(phase.planes.size()),
                      .steps = phase.steps.data(),
                      .step_count = static_cast<std::int64_t>(phase.steps.size()),
                      .positions = phase.positions.data(),
                      .position_count = static_cast<std::int64_t>(phase.positions.size()),
                      .weights = weights_size_});
    weights_size_ += static_cast<std::int64_t>(phase.steps.size()) * blocks * kAmxPanel;
  }
  shape_.phases = views_.data();
  shape_.phase_count = static_cast<std::int64_t>(views_.size());
}

}  // namespace inocula::cpu
