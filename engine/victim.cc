// A network as a victim.
#include "engine/victim.h"

namespace inocula {

Tensor NetworkVictim::logits(const Tensor& images) {
  recording_.recorder().begin_pass(WholePass::forward);
  return recording_.forward(images).logits;
}

Query NetworkVictim::query(const Tensor& images) {
  recording_.recorder().begin_pass(WholePass::forward);
  auto trace = std::make_shared<ForwardTrace>(recording_.forward(images));
  return {trace->logits, trace};
}

Tensor NetworkVictim::gradient(const Query& query, const Tensor& dlogits) {
  recording_.recorder().begin_pass(WholePass::backward);
  ForwardTrace trace = *query.trace;  // a pass writes into what it goes back through
  return recording_.backward(trace, dlogits);
}

}  // namespace inocula
