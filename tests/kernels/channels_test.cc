// Copies of channels between layouts and elements: exact or rounded once, and nothing beside the range is
// touched.
#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

void check_copies(Element from_element, Element to_element) {
  for (const std::int64_t from_channels : {3, 40}) {
    for (const std::int64_t to_channels : {17, 40}) {
      for (const std::int64_t from_block :
           {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, from_channels}) {
        for (const std::int64_t to_block :
             {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, to_channels}) {
          for (const std::int64_t count : {1, 3, 16, 33}) {
            for (const bool at_end : {false, true}) {
              if (count > from_channels || count > to_channels) continue;
              // Once with more pixels than one team copies.
              const std::int64_t height = from_channels == 40 && to_channels == 17 ? 9 : 2;
              const PlaneShape from{.batch = 2,
                                    .channels = from_channels,
                                    .height = height,
                                    .width = 31,
                                    .block = from_block,
                                    .element = from_element};
              const PlaneShape to{.batch = 2,
                                  .channels = to_channels,
                                  .height = height,
                                  .width = 31,
                                  .block = to_block,
                                  .element = to_element};
              const std::int64_t from_first = at_end ? 0 : from_channels - count;
              const std::int64_t to_first = at_end ? to_channels - count : 0;
              const Dense source = random_dense(from, 1), before = random_dense(to, 2);
              const Planes from_values = to_planes(source, from);
              Planes to_values = to_planes(before, to);
              for (std::int64_t n = 0; n < to.batch; ++n)
                for (std::int64_t c = to_channels; c < to.blocks() * to_block; ++c)
                  for (std::int64_t p = 0; p < to.pixels(); ++p)
                    to_values.set(static_cast<std::size_t>(index_of(to, n, c, p)), 9);
              const Outputs out = same_everywhere([&](const Run& run) {
                Planes result(to_values);
                run.kernels.copy_channels(run.queue, {.from = from_values.data(),
                                                      .to = result.data(),
                                                      .from_shape = from,
                                                      .to_shape = to,
                                                      .from_first = from_first,
                                                      .to_first = to_first,
                                                      .count = count});
                return Outputs{result.values()};
              });
              Dense expected = before;
              for (std::int64_t n = 0; n < 2; ++n)
                for (std::int64_t c = 0; c < count; ++c)
                  for (std::int64_t y = 0; y < height; ++y)
                    for (std::int64_t x = 0; x < 31; ++x)
                      expected.at(n, to_first + c, y, x) =
                          nearest(static_cast<float>(source.at(n, from_first + c, y, x)), to_element);
              CAPTURE(to_string(from));
              CAPTURE(to_string(to));
              CAPTURE(count);
              check_near(from_planes(out[0], to), expected.v, 0, 0, "to");
              const bool reaches_padding = to_first + count == to_channels;
              const bool has_padding = to.blocks() * to_block > to_channels;
              CHECK((padding_is_zero(out[0], to) == (reaches_padding || !has_padding)));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("copy_channels between any two layouts") {
  check_copies(Element::f32, Element::f32);
  check_copies(Element::bf16, Element::bf16);
}

TEST_CASE("copy_channels from floats to bf16 rounds, and back it is exact") {
  check_copies(Element::f32, Element::bf16);
  check_copies(Element::bf16, Element::f32);
}

}  // namespace
}  // namespace inocula::test
