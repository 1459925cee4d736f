// Picking a label's logits, and putting their gradient back.
#include "attacks/label_view.h"

namespace inocula::attacks {

Tensor record_label_logits(Recorder& r, const Tensor& logits, std::int64_t first, std::int64_t count) {
  const std::int64_t rows = logits.shape.n, labels = logits.shape.c;
  const Tensor pairs = r.make("label logits", {rows, 2 * count, 1, 1});
  r.kernel("label.logits", r.kernels().label_logits,
           [=](Access& at) { return LabelLogits{at.in(logits), at.out(pairs), rows, labels, first, count}; });
  return pairs;
}

Tensor LabelView::logits(const Tensor& images) {
  return record_label_logits(recorder_, victim_.logits(images), label_, 1);
}

Query LabelView::query(const Tensor& images) {
  const Query all = victim_.query(images);
  return {record_label_logits(recorder_, all.logits, label_, 1), all.trace};
}

Tensor LabelView::gradient(const Query& query, const Tensor& dlogits) {
  const std::int64_t rows = dlogits.shape.n, labels = victim_.classes();
  const Tensor of_all = recorder_.make("logit gradient", {rows, labels, 1, 1});
  recorder_.kernel("label.gradient", recorder_.kernels().label_gradient, [=, label = label_](Access& at) {
    return LabelGradient{at.in(dlogits), at.out(of_all), rows, labels, label};
  });
  return victim_.gradient(query, of_all);
}

}  // namespace inocula::attacks
