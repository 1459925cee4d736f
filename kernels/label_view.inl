// Bodies of a label's logits and of their gradient.
#include "kernels/label_view.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

struct PairElement {
  LabelLogits a;
  INOCULA_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t row = i / a.count, j = i % a.count;
    a.pairs[2 * i] = 0.0f;
    a.pairs[2 * i + 1] = a.logits[row * a.labels + a.first + j];
  }
};

struct ColumnElement {
  LabelGradient a;
  INOCULA_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t row = i / a.labels, j = i % a.labels;
    a.dlogits[i] = j == a.label ? a.dpairs[2 * row + 1] : 0.0f;
  }
};

}  // namespace

void label_logits(const Queue& queue, const LabelLogits& args) {
  for_each(queue, args.rows * args.count, PairElement{args});
}

void label_gradient(const Queue& queue, const LabelGradient& args) {
  for_each(queue, args.rows * args.labels, ColumnElement{args});
}

INOCULA_END_TARGET
