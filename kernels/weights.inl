// Bodies of the packing of weights and the unpacking of their gradients.
#include "kernels/weights.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

/// A position in a tensor of three extents. Of fewer than 2^32 elements: divisions of 32 bits are many times
/// faster.
struct WeightPlace {
  std::uint32_t first, middle, last;
};

INOCULA_HD inline WeightPlace weight_place(std::int64_t at, std::int64_t middle_extent,
                                           std::int64_t last_extent) {
  const auto position = static_cast<std::uint32_t>(at);
  const auto middles = static_cast<std::uint32_t>(middle_extent);
  const auto lasts = static_cast<std::uint32_t>(last_extent);
  const std::uint32_t rest = position / lasts, first = rest / middles;
  return {first, rest - first * middles, position - rest * lasts};
}

/// The packed channel that filter o's first weight stands for.
INOCULA_HD inline std::int64_t first_channel(std::uint32_t o, std::int64_t outputs, std::int64_t inputs,
                                             std::int64_t groups) {
  return groups == 1 ? 0 : o / static_cast<std::uint32_t>(outputs / groups) * inputs;
}

/// One packed weight.
template <class T>
struct PackWeight {
  PackWeights a;
  INOCULA_DEVICE void operator()(std::int64_t at) const {
    const bool inputs_last = a.order == WeightOrder::output_tap_input;
    const WeightPlace place = inputs_last ? weight_place(at, a.taps, a.padded_inputs)
                                          : weight_place(at, a.padded_inputs, a.padded_outputs);
    const std::uint32_t o = inputs_last ? place.first : place.last;
    const std::uint32_t channel = inputs_last ? place.last : place.middle;
    const std::uint32_t tap = inputs_last ? place.middle : place.first;
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
    const WeightPlace place = weight_place(at, a.inputs, a.taps);
    const std::int64_t channel = first_channel(place.first, a.outputs, a.inputs, a.groups) + place.middle;
    const T* const packed = static_cast<const T*>(a.packed);
    a.plain[at] += to_float(packed[(place.first * a.taps + place.last) * a.padded_inputs + channel]);
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
