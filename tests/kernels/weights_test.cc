// Packing weights and unpacking their gradients, against plain loops.
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

struct Extents {
  std::int64_t outputs, inputs, taps, padded_outputs, padded_inputs, groups = 1;
};

constexpr Extents kExtents[] = {
    {64, 64, 9, 64, 64}, {20, 3, 49, 24, 8}, {1, 1, 1, 8, 8}, {33, 17, 9, 40, 24}, {18, 6, 9, 24, 16, 2}};

std::size_t product(std::int64_t a, std::int64_t b, std::int64_t c) {
  return static_cast<std::size_t>(a * b * c);
}

/// Whether filter o reads this channel.
bool in_group(const Extents& e, std::int64_t o, std::int64_t channel) {
  return e.groups == 1 ? channel < e.inputs : channel / e.inputs == o / (e.outputs / e.groups);
}

/// What pack_weights must write, by its definition.
float packed_weight(const Extents& e, const std::vector<float>& plain, const std::vector<float>& scale,
                    std::int64_t o, std::int64_t channel, std::int64_t tap) {
  if (o >= e.outputs || !in_group(e, o, channel)) return 0;
  const std::int64_t i = e.groups == 1 ? channel : channel % e.inputs;
  const float v = plain[product(o * e.inputs + i, e.taps, 1) + static_cast<std::size_t>(tap)];
  return scale.empty() ? v : v * scale[static_cast<std::size_t>(o)];
}

TEST_CASE("pack_weights scales, orders and fills up with zeros") {
  for (const Extents& e : kExtents) {
    for (const WeightOrder order : {WeightOrder::output_tap_input, WeightOrder::tap_input_output}) {
      for (const bool scaled : {false, true}) {
        const std::vector<float> plain = random_floats(product(e.outputs, e.inputs, e.taps), 1);
        const std::vector<float> scale =
            scaled ? random_floats(static_cast<std::size_t>(e.outputs), 2) : std::vector<float>{};
        const std::size_t size = product(e.padded_outputs, e.taps, e.padded_inputs);
        PackWeights args{.plain = plain.data(),
                         .scale = scaled ? scale.data() : nullptr,
                         .outputs = e.outputs,
                         .inputs = e.inputs,
                         .taps = e.taps,
                         .padded_outputs = e.padded_outputs,
                         .padded_inputs = e.padded_inputs,
                         .groups = e.groups,
                         .order = order};
        const Outputs result = same_everywhere([&](const Run& run) {
          Guarded<float> packed(size, kNan);
          args.packed = packed.data();
          args.element = Element::f32;
          run.kernels.pack_weights(run.queue, args);
          Guarded<Bf16> rounded(size, Bf16{0x7FC0});
          args.packed = rounded.data();
          args.element = Element::bf16;
          run.kernels.pack_weights(run.queue, args);
          std::vector<float> widened;
          for (const Bf16 v : rounded.values()) widened.push_back(to_float(v));
          return Outputs{packed.values(), widened};
        });
        std::vector<float> expected(size), expected_rounded(size);
        for (std::int64_t o = 0; o < e.padded_outputs; ++o)
          for (std::int64_t i = 0; i < e.padded_inputs; ++i)
            for (std::int64_t tap = 0; tap < e.taps; ++tap) {
              const std::int64_t at = order == WeightOrder::output_tap_input
                                          ? (o * e.taps + tap) * e.padded_inputs + i
                                          : (tap * e.padded_inputs + i) * e.padded_outputs + o;
              const float v = packed_weight(e, plain, scale, o, i, tap);
              expected[static_cast<std::size_t>(at)] = v;
              Bf16 rounded;
              store(&rounded, v);
              expected_rounded[static_cast<std::size_t>(at)] = to_float(rounded);
            }
        CHECK(difference_in_bits(result, {expected, expected_rounded}) == "");
      }
    }
  }
}

TEST_CASE("add_weight_gradient adds what is not padding, from floats and from bf16") {
  for (const Extents& e : kExtents) {
    const std::size_t size = product(e.outputs, e.inputs, e.taps);
    const std::vector<float> before = random_floats(size, 3);
    std::vector<float> packed = random_floats(product(e.padded_outputs, e.taps, e.padded_inputs), 4);
    std::vector<Bf16> rounded(packed.size());
    std::vector<float> expected = before, expected_rounded = before;
    for (std::int64_t o = 0; o < e.padded_outputs; ++o)
      for (std::int64_t i = 0; i < e.padded_inputs; ++i)
        for (std::int64_t tap = 0; tap < e.taps; ++tap) {
          const std::size_t at = product(o * e.taps + tap, e.padded_inputs, 1) + static_cast<std::size_t>(i);
          const bool added = o < e.outputs && in_group(e, o, i);
          if (!added) packed[at] = kNan;  // never read
          store(&rounded[at], packed[at]);
          if (!added) continue;
          const std::int64_t input = e.groups == 1 ? i : i % e.inputs;
          const std::size_t to = product(o * e.inputs + input, e.taps, 1) + static_cast<std::size_t>(tap);
          expected[to] += packed[at];
          expected_rounded[to] += to_float(rounded[at]);
        }
    const Outputs result = same_everywhere([&](const Run& run) {
      Guarded<float> plain(before), from_rounded(before);
      AddWeightGradient args{.packed = packed.data(),
                             .plain = plain.data(),
                             .outputs = e.outputs,
                             .inputs = e.inputs,
                             .taps = e.taps,
                             .padded_inputs = e.padded_inputs,
                             .groups = e.groups};
      run.kernels.add_weight_gradient(run.queue, args);
      args.packed = rounded.data();
      args.plain = from_rounded.data();
      args.element = Element::bf16;
      run.kernels.add_weight_gradient(run.queue, args);
      return Outputs{plain.values(), from_rounded.values()};
    });
    CHECK(difference_in_bits(result, {expected, expected_rounded}) == "");
  }
}

}  // namespace
}  // namespace inocula::test
