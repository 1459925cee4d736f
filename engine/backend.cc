// What a prepared convolution does unless its pass says otherwise.
#include "engine/backend.h"

#include "engine/error.h"

namespace inocula {

std::string ConvWindow::to_string() const {
  const auto sides = [](std::int64_t h, std::int64_t w) {
    return std::to_string(h) + "x" + std::to_string(w);
  };
  std::string text =
      sides(kernel_h, kernel_w) + ", stride " + sides(stride_h, stride_w) + ", pad " + sides(pad_h, pad_w);
  if (dilation_h != 1 || dilation_w != 1) text += ", dilation " + sides(dilation_h, dilation_w);
  return text;
}

Launch PreparedConv::bind_weights(const float*, const float*, void*, void*) {
  fail(ErrorKind::internal, "PreparedConv::bind_weights: this pass reads no weights");
}

}  // namespace inocula
