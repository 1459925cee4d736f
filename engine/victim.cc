// A network as a victim.
#include "engine/victim.h"

namespace inocula {

Query NetworkVictim::query(const Tensor& images) {
  auto trace = std::make_shared<ForwardTrace>(recording_.forward(images));
  return {trace->logits, trace};
}

Tensor NetworkVictim::gradient(const Query& query, const Tensor& dlogits) {
  ForwardTrace trace = *query.trace;  // a pass writes into what it goes back through
  return recording_.backward(trace, dlogits);
}

}  // namespace inocula
