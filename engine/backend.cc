// What a prepared convolution does unless its pass says otherwise.
#include "engine/backend.h"

#include "engine/error.h"

namespace inocula {

Launch PreparedConv::bind_weights(const float*, const float*, void*, void*) {
  fail(ErrorKind::internal, "PreparedConv::bind_weights: this pass reads no weights");
}

}  // namespace inocula
