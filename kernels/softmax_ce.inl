// Body of the softmax cross-entropy.
#include "kernels/softmax_ce.h"

#include "kernels/for_each.h"
#include "kernels/portable_math.h"
#include "kernels/top_label.h"

INOCULA_BEGIN_TARGET

namespace {

/// Rows hold few classes, so all of it is done in double: cheap, and right to the last bit of the float
/// results.
struct SoftmaxCeRow {
  SoftmaxCe a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const z = a.logits + row * a.classes;
    const std::int64_t label = a.label[row];
    const TopLabel top = find_top_label(team, z, a.classes);
    if (team.leads()) {
      if (a.predicted != nullptr) a.predicted[row] = static_cast<std::int32_t>(top.index);
      if (a.loss != nullptr) {
        const double below = static_cast<double>(top.logit) - z[label];
        a.loss[row] = static_cast<float>(below + portable_log1p(top.others));
      }
    }
    if (a.dlogits == nullptr) return;
    float* const dz = a.dlogits + row * a.classes;
    const float peak = top.logit;
    const double unit = a.scale / (1.0 + top.others);
    team.each(a.classes, [=](std::int64_t j) { dz[j] = static_cast<float>(unit * exp_below(z[j], peak)); });
    const double others =
        team.sum(a.classes, [=](std::int64_t j) { return j == label ? 0.0 : static_cast<double>(dz[j]); });
    if (team.leads()) dz[label] = static_cast<float>(-others);
  }
};

/// Rows that a team takes of those with few classes.
constexpr std::int64_t kTeamRows = 64;

struct SoftmaxCeRows {
  SoftmaxCe a;

  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t begin = group * kTeamRows;
    const std::int64_t rows = a.rows - begin < kTeamRows ? a.rows - begin : kTeamRows;
    team.each_group<kRowsAbreast>(rows, [&](std::int64_t row) {
      take(begin + row, rows - row < kRowsAbreast ? rows - row : kRowsAbreast);
    });
  }

 private:
  /// `count` rows from `first` on.
  INOCULA_DEVICE void take(std::int64_t first, std::int64_t count) const {
    const int classes = static_cast<int>(a.classes);
    TopLabels top;
    find_top_labels(a.logits + first * classes, count, classes, top);
    OfRows<std::int32_t> label;
    for (int r = 0; r < kRowsAbreast; ++r) label[r] = a.label[r < count ? first + r : first];
    if (a.predicted != nullptr)
      for (int r = 0; r < count; ++r) a.predicted[first + r] = top.index[r];
    if (a.loss != nullptr) write_losses(top, label, first, count);
    if (a.dlogits != nullptr) write_gradients(top, label, a.dlogits + first * classes, count);
  }

  INOCULA_DEVICE void write_losses(const TopLabels& top, const OfRows<std::int32_t>& label,
                                   std::int64_t first, std::int64_t count) const {
    OfRows<float> of_label, loss;
    for (int r = 0; r < kRowsAbreast; ++r) of_label[r] = top.z[label[r]][r];
#pragma omp simd
    for (int r = 0; r < kRowsAbreast; ++r) {
      const double below = static_cast<double>(top.logit[r]) - of_label[r];
      loss[r] = static_cast<float>(below + portable_log1p(top.others[r]));
    }
    for (int r = 0; r < count; ++r) a.loss[first + r] = loss[r];
  }

  INOCULA_DEVICE void write_gradients(const TopLabels& top, const OfRows<std::int32_t>& label, float* to,
                                      std::int64_t count) const {
    const int classes = static_cast<int>(a.classes);
    OfRows<double> unit, others, lane[kFewClasses];
    OfRows<float> dz[kFewClasses];
#pragma omp simd
    for (int r = 0; r < kRowsAbreast; ++r) unit[r] = a.scale / (1.0 + top.others[r]);
    for (int j = 0; j < classes; ++j) {
#pragma omp simd
      for (int r = 0; r < kRowsAbreast; ++r) {
        dz[j][r] = static_cast<float>(unit[r] * top.e[j][r]);
        lane[j][r] = j == label[r] ? 0.0 : static_cast<double>(dz[j][r]);
      }
    }
    sum_rows(classes, lane, others);
    for (int r = 0; r < kRowsAbreast; ++r) dz[label[r]][r] = static_cast<float>(-others[r]);
    for (int r = 0; r < count; ++r)
      for (int j = 0; j < classes; ++j) to[r * classes + j] = dz[j][r];
  }
};

/// Multiplications that a class costs, roughly: rows of few classes are worth sharing out.
constexpr std::int64_t kClassCost = 32;

}  // namespace

void softmax_ce(const Queue& queue, const SoftmaxCe& args) {
  if (args.classes > kFewClasses)
    return for_each_row(queue, args.rows, args.classes * kClassCost, SoftmaxCeRow{args});
  for_each_row(queue, (args.rows + kTeamRows - 1) / kTeamRows, kTeamRows * args.classes, SoftmaxCeRows{args});
}

INOCULA_END_TARGET
