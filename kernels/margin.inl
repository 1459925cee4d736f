// Bodies of the losses of differences between logits.
#include "kernels/margin.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

/// The classes of the largest logits, in order; as many as there are, at most four.
struct Leaders {
  std::int64_t index[4];

  INOCULA_DEVICE Leaders(const float* z, std::int64_t classes) {
    for (int rank = 0; rank < 4 && rank < classes; ++rank) {
      std::int64_t best = -1;
      for (std::int64_t j = 0; j < classes; ++j) {
        bool taken = false;
        for (int r = 0; r < rank; ++r) taken = taken || index[r] == j;
        if (!taken && (best < 0 || z[j] > z[best] || (z[best] != z[best] && z[j] == z[j]))) best = j;
      }
      index[rank] = best;
    }
  }
};

struct MarginRow {
  MarginLoss a;
  bool ratio;

  INOCULA_DEVICE void operator()(std::int64_t row) const {
    const std::int64_t classes = a.classes;
    const float* const z = a.logits + row * classes;
    const Leaders leaders(z, classes);
    const std::int64_t label = a.label[row];
    const std::int64_t other = a.target != nullptr         ? a.target[row]
                               : leaders.index[0] == label ? leaders.index[1]
                                                           : leaders.index[0];
    const double margin = static_cast<double>(z[other]) - z[label];
    double unit = 1, loss = margin;
    if (ratio) {
      const double low = a.target != nullptr
                             ? 0.5 * (static_cast<double>(z[leaders.index[2]]) + z[leaders.index[3]])
                             : z[leaders.index[2]];
      unit = 1 / (z[leaders.index[0]] - low + kDlrFloor);
      loss = margin * unit;
    }
    if (a.predicted != nullptr) a.predicted[row] = static_cast<std::int32_t>(leaders.index[0]);
    if (a.loss != nullptr) a.loss[row] = static_cast<float>(loss);
    if (a.dlogits == nullptr) return;
    float* const dz = a.dlogits + row * classes;
    for (std::int64_t j = 0; j < classes; ++j) {
      double slope = j == other ? unit : j == label ? -unit : 0.0;
      // d loss / d denominator = -loss unit.
      if (ratio && j == leaders.index[0]) slope -= loss * unit;
      if (ratio && j == leaders.index[2]) slope += loss * unit * (a.target != nullptr ? 0.5 : 1.0);
      if (ratio && a.target != nullptr && j == leaders.index[3]) slope += 0.5 * loss * unit;
      dz[j] = static_cast<float>(slope);
    }
  }
};

}  // namespace

void margin_loss(const Queue& queue, const MarginLoss& args) {
  for_each(queue, args.rows, MarginRow{args, false});
}

void dlr_loss(const Queue& queue, const MarginLoss& args) {
  for_each(queue, args.rows, MarginRow{args, true});
}

INOCULA_END_TARGET
