// A convolution's weights between the form that is trained, plain (O, I, taps) floats, and a packed form.
//
// Packed weights have their channels filled up with zeros to the extents that a library or a kernel wants,
// and lie in the order that it reads them: (O, taps, I) for channels-last convolutions, (taps, I, O) for
// image_gradient. taps = kernel_h * kernel_w; I counts the input channels of one group. Packed weights are
// fewer than 2^32.
#pragma once

#include <cstdint>

#include "kernels/element.h"

namespace inocula {

enum class WeightOrder : std::int32_t {
  output_tap_input,  ///< (O, taps, I)
  tap_input_output,  ///< (taps, I, O)
};

/// pack_weights: packed[o][tap][i] = scale[o] plain[o][i][tap], 0 beyond `outputs` and `inputs`.
/// With `groups` > 1 the packed weights are dense: filter o of group g reads the channels g * inputs + i, and
/// has zeros for those of other groups. So a layout whose padding would break the groups apart computes them
/// all the same.
struct PackWeights {
  const float* plain = nullptr;
  const float* scale = nullptr;  ///< (outputs); null means 1
  void* packed = nullptr;        ///< packed_size() of `element`
  std::int64_t outputs = 0, inputs = 0, taps = 1;
  std::int64_t padded_outputs = 0, padded_inputs = 0;
  std::int64_t groups = 1;  ///< divides `outputs`
  WeightOrder order = WeightOrder::output_tap_input;
  Element element = Element::f32;

  std::int64_t packed_size() const { return padded_outputs * taps * padded_inputs; }
};

/// add_weight_gradient: plain[o][i][tap] += packed[o][tap][i], the padding and other groups' channels left
/// out.
struct AddWeightGradient {
  const void* packed = nullptr;  ///< (>= outputs, taps, padded_inputs) of `element`
  float* plain = nullptr;        ///< (outputs, inputs, taps)
  std::int64_t outputs = 0, inputs = 0, taps = 1, padded_inputs = 0;
  std::int64_t groups = 1;  ///< as in PackWeights
  Element element = Element::f32;
};

}  // namespace inocula
