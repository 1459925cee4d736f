// Bodies of the confidence histogram and the epoch's tally.
#include "kernels/calibrate.h"

#include "kernels/atomic.h"
#include "kernels/for_each.h"
#include "kernels/top_label.h"

INOCULA_BEGIN_TARGET

namespace {

/// The bin of `bins` equal, right-closed ones that a confidence in (0, 1] falls into.
INOCULA_HD inline std::int32_t bin_of(double confidence, std::int32_t bins) {
  std::int32_t b = static_cast<std::int32_t>(confidence * bins);
  if (b >= bins) b = bins - 1;
  // The product may have rounded across an edge: the edges themselves decide.
  while (b > 0 && confidence <= static_cast<double>(b) / bins) --b;
  while (b < bins - 1 && confidence > static_cast<double>(b + 1) / bins) ++b;
  return b;
}

struct BinRow {
  BinConfidence a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.label[row] < 0) return;
    const TopLabel top = find_top_label(team, a.logits + row * a.classes, a.classes);
    if (!team.leads()) return;
    const double confidence = 1.0 / (1.0 + top.others);
    // NaN logits have no confidence; they count as the least there can be, and as wrong.
    const bool defined = confidence == confidence;
    CalibrationBin* const bin = a.bin + (defined ? bin_of(confidence, a.bins) : 0);
    atomic_add(&bin->count, 1);
    if (!defined) return;
    if (top.index == a.label[row]) atomic_add(&bin->correct, 1);
    atomic_add(&bin->confidence, static_cast<std::uint64_t>(confidence * 0x1p32 + 0.5));
  }
};

struct TallyBatch {
  Tally a;
  INOCULA_DEVICE void operator()(std::int64_t, const Team& team) const {
    const float* const loss = a.loss;
    const std::int32_t *const predicted = a.predicted, *const label = a.label;
    const double losses = team.sum(a.rows, [=](std::int64_t r) { return loss[r]; });
    const double correct =
        team.sum(a.rows, [=](std::int64_t r) { return predicted[r] == label[r] ? 1.0f : 0.0f; });
    if (!team.leads()) return;
    a.tally->loss += losses;
    a.tally->correct += static_cast<std::uint64_t>(correct);
    a.tally->seen += static_cast<std::uint64_t>(a.rows);
  }
};

}  // namespace

void bin_confidence(const Queue& queue, const BinConfidence& args) {
  for_each_row(queue, args.rows, args.classes, BinRow{args});
}

void tally(const Queue& queue, const Tally& args) {
  for_each_row(queue, 1, args.rows, TallyBatch{args});
}

INOCULA_END_TARGET
