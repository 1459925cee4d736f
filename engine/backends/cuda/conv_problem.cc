// A convolution in words, for errors.
#include "engine/backends/cuda/conv_problem.h"

#include <sstream>

namespace inocula::cuda {

std::string ConvProblem::to_string() const {
  std::ostringstream text;
  text << (pass == ConvPass::forward         ? "forward of "
           : pass == ConvPass::backward_data ? "backward-data of "
                                             : "backward-weights of ")
       << in.to_string() << " to " << out.to_string() << ", " << window.to_string();
  if (groups != 1) text << ", " << groups << " groups";
  text << (element == Element::bf16 ? ", bf16" : ", f32") << (bias ? " + bias" : "")
       << (weight_gradient == Element::bf16 ? " throughout" : "") << (residual ? " + residual" : "")
       << (relu ? " + ReLU" : "");
  return text.str();
}

}  // namespace inocula::cuda
