// Bodies of the confidence histogram and the epoch's tally.
#include "kernels/calibrate.h"

#include "kernels/atomic.h"
#include "kernels/for_each.h"
#include "kernels/top_label.h"

INOCULA_BEGIN_TARGET

namespace {

/// The bin of `bins` equal, right-closed ones that a confidence in (0, 1] falls into; 0 for a confidence of
/// 0.
INOCULA_HD inline std::int32_t bin_of(double confidence, std::int32_t bins) {
  std::int32_t b = static_cast<std::int32_t>(confidence * bins);
  b = b < bins ? b : bins - 1;
  // The product may have rounded across one edge: the edges themselves decide.
  b = confidence <= static_cast<double>(b) / bins ? b - 1 : b;
  b = confidence > static_cast<double>(b + 1) / bins ? b + 1 : b;
  return b > 0 ? b : 0;
}

/// `others` as in TopLabel. NaN logits have no confidence; they count as the least there can be, and as
/// wrong.
INOCULA_HD inline double confidence_of(double others) {
  const double confidence = 1.0 / (1.0 + others);
  return confidence > 0 ? confidence : 0.0;
}

INOCULA_HD inline std::uint64_t units(double confidence) {
  // By way of a signed number: the processors' own conversion.
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(confidence * 0x1p32 + 0.5));
}

struct BinRow {
  BinConfidence a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.label[row] < 0) return;
    const TopLabel top = find_top_label(team, a.logits + row * a.classes, a.classes);
    if (!team.leads()) return;
    const double confidence = confidence_of(top.others);
    CalibrationBin* const bin = a.bin + bin_of(confidence, a.bins);
    atomic_add(&bin->count, 1);
    if (confidence > 0 && top.index == a.label[row]) atomic_add(&bin->correct, 1);
    atomic_add(&bin->confidence, units(confidence));
  }
};

/// Rows of few classes that a team takes: so many that its own bins are soon added to the common ones.
constexpr std::int64_t kTeamRows = 1024;

struct BinRows {
  BinConfidence a;

  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t begin = group * kTeamRows;
    const std::int64_t rows = a.rows - begin < kTeamRows ? a.rows - begin : kTeamRows;
    INOCULA_SHARED std::uint64_t count[kMaxCalibrationBins];
    INOCULA_SHARED std::uint64_t correct[kMaxCalibrationBins];
    INOCULA_SHARED std::uint64_t sum[kMaxCalibrationBins];
    team.each(a.bins, [&](std::int64_t b) { count[b] = correct[b] = sum[b] = 0; });
    team.each_group<kRowsAbreast>(rows, [&](std::int64_t row) {
      const std::int64_t first = begin + row, left = rows - row;
      TopLabels top;
      find_top_labels(a.logits + first * a.classes, left, static_cast<int>(a.classes), top);
      OfRows<double> confidence;
      OfRows<std::int32_t> bin;
#pragma omp simd
      for (int r = 0; r < kRowsAbreast; ++r) {
        confidence[r] = confidence_of(top.others[r]);
        bin[r] = bin_of(confidence[r], a.bins);
      }
      for (int r = 0; r < kRowsAbreast && r < left; ++r) {
        const std::int32_t label = a.label[first + r];
        if (label < 0) continue;
        add_in_team(count + bin[r], 1);
        add_in_team(correct + bin[r], confidence[r] > 0 && top.index[r] == label ? 1 : 0);
        add_in_team(sum + bin[r], units(confidence[r]));
      }
    });
    team.each(a.bins, [&](std::int64_t b) {
      if (count[b] == 0) return;
      atomic_add(&a.bin[b].count, count[b]);
      atomic_add(&a.bin[b].correct, correct[b]);
      atomic_add(&a.bin[b].confidence, sum[b]);
    });
  }
};

struct TallyBatch {
  Tally a;
  INOCULA_DEVICE void operator()(std::int64_t, const Team& team) const {
    const float* const loss = a.loss;
    const std::int32_t *const predicted = a.predicted, *const label = a.label;
    const double losses = team.sum(a.rows, [=](std::int64_t r) { return loss[r]; });
    const std::int64_t decisions = a.rows * a.columns;
    const double correct =
        team.sum(decisions, [=](std::int64_t r) { return predicted[r] == label[r] ? 1.0f : 0.0f; });
    if (!team.leads()) return;
    a.tally->loss += losses;
    a.tally->correct += static_cast<std::uint64_t>(correct);
    a.tally->seen += static_cast<std::uint64_t>(decisions);
  }
};

}  // namespace

void bin_confidence(const Queue& queue, const BinConfidence& args) {
  if (args.classes > kFewClasses) return for_each_row(queue, args.rows, args.classes, BinRow{args});
  for_each_row(queue, (args.rows + kTeamRows - 1) / kTeamRows, kTeamRows * args.classes, BinRows{args});
}

void tally(const Queue& queue, const Tally& args) {
  for_each_row(queue, 1, args.rows, TallyBatch{args});
}

INOCULA_END_TARGET
