// Bodies of the packing of weights and the unpacking of their gradients.
#include "kernels/weights.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

/// The packed channel that filter o's first weight stands for.
INOCULA_HD inline std::int64_t first_channel(std::int64_t o, std::int64_t outputs, std::int64_t inputs,
                                             std::int64_t groups) {
  return groups == 1 ? 0 : o / (outputs / groups) * inputs;
}

/// One packed weight, whose position is split into the three extents of its order.
template <class T>
struct PackWeight {
  PackWeights a;
  INOCULA_DEVICE void operator()(std::int64_t at) const {
    const bool inputs_last = a.order == WeightOrder::output_tap_input;
    const std::int64_t last_extent = inputs_last ? a.padded_inputs : a.padded_outputs;
    const std::int64_t middle_extent = inputs_last ? a.taps : a.padded_inputs;
    const std::int64_t last = at % last_extent, rest = at / last_extent;
    const std::int64_t middle = rest % middle_extent, first = rest / middle_extent;
    const std::int64_t o = inputs_last ? first : last;
    const std::int64_t channel = inputs_last ? last : middle;
    const std::int64_t tap = inputs_last ? middle : first;
    float v = 0;
    const std::int64_t i = channel - first_channel(o, a.outputs, a.inputs, a.groups);
    if (o < a.outputs && i >= 0 && i < a.inputs) {
      v = a.plain[(o * a.inputs + i) * a.taps + tap];
      if (a.scale != nullptr) v *= a.scale[o];
    }
    store(static_cast<T*>(a.packed) + at, v);
  }
};

template <class T>
struct AddGradient {
  AddWeightGradient a;
  INOCULA_DEVICE void operator()(std::int64_t at) const {
    const std::int64_t tap = at % a.taps, rest = at / a.taps;
    const std::int64_t i = rest % a.inputs, o = rest / a.inputs;
    const std::int64_t channel = first_channel(o, a.outputs, a.inputs, a.groups) + i;
    const T* const packed = static_cast<const T*>(a.packed);
    a.plain[at] += to_float(packed[(o * a.taps + tap) * a.padded_inputs + channel]);
  }
};

}  // namespace

void pack_weights(const Queue& queue, const PackWeights& args) {
  with_element(args.element, [&](auto stored) {
    for_each(queue, args.packed_size(), PackWeight<typename decltype(stored)::Type>{args});
  });
}

void add_weight_gradient(const Queue& queue, const AddWeightGradient& args) {
  const std::int64_t size = args.outputs * args.inputs * args.taps;
  if (args.element == Element::bf16) {
    for_each(queue, size, AddGradient<Bf16>{args});
  } else {
    for_each(queue, size, AddGradient<float>{args});
  }
}

INOCULA_END_TARGET
