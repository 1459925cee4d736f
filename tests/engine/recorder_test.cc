// What a Recorder keeps from one recording for the next.
#include "engine/recorder.h"

#include <utility>
#include <vector>

#include "tests/engine/harness.h"

namespace inocula::test {

TEST_CASE("recorder: what is derived from memory is made once, until a step writes there") {
  Buffer weights(cpu(), 64 * sizeof(float));
  Recorder r(cpu());
  const Tensor first = r.external("first", weights.as<float>(), {1, 16, 1, 1}),
               second = r.external("second", weights.as<float>() + 16, {1, 16, 1, 1}),
               all = r.external("all", weights.as<void>(), {1, 64, 1, 1});
  int made = 0;
  const auto derive = [&](const Tensor& from, const char* key) {
    return r.derive(key, from, [&] {
      made += 1;
      const Tensor t = r.make("derived", from.shape);
      r.copy("copy", from, t);
      return t;
    });
  };
  const auto write = [&](const Tensor& to) {
    r.kernel("fill", r.kernels().fill, [=](Access& at) { return Fill{at.out(to), to.shape.size(), 1.0f}; });
  };
  const Tensor a = derive(first, "a");
  CHECK(derive(first, "a").id == a.id);
  // The same memory under another handle is the same memory; another key or place is something else.
  CHECK(derive(r.external("again", weights.as<float>(), {1, 16, 1, 1}), "a").id == a.id);
  CHECK(made == 1);
  CHECK(derive(first, "b").id != a.id);
  CHECK(derive(second, "a").id != a.id);
  CHECK(made == 3);
  write(second);
  CHECK(derive(first, "a").id == a.id);
  write(all);
  CHECK(derive(first, "a").id != a.id);
  CHECK(made == 4);
  // A second turn of a loop would meet what its first one wrote.
  r.loop(2, [&] {
    derive(first, "a");
    write(first);
  });
  CHECK(made == 5);
}

TEST_CASE("recorder: a part of an external tensor is memory of its own, until somebody writes the tensor") {
  Buffer weights(cpu(), 64 * sizeof(float));
  Recorder r(cpu());
  const Tensor all = r.external("all", weights.as<float>(), {4, 16, 1, 1});
  int made = 0;
  const auto derive = [&](const Tensor& from) {
    return r.derive("a", from, [&] {
      made += 1;
      const Tensor t = r.make("derived", from.shape);
      r.copy("copy", from, t);
      return t;
    });
  };
  const Tensor first = derive(r.part(all, 0, 1)), second = derive(r.part(all, 1, 1));
  CHECK(first.id != second.id);
  CHECK(derive(r.part(all, 1, 1)).id == second.id);
  CHECK(derive(r.external("again", weights.as<float>() + 16, {1, 16, 1, 1})).id == second.id);
  CHECK(made == 2);
  const Tensor written = r.part(all, 1, 2);
  r.kernel("fill", r.kernels().fill, [=](Access& at) { return Fill{at.out(written), 32, 1.0f}; });
  CHECK(derive(r.part(all, 1, 1)).id != second.id);
}

TEST_CASE("recorder: parts lie in their tensor, which lives from the first one's writing on") {
  constexpr std::int64_t kImages = 5, kFloats = 24;
  const Shape shape{kImages, 2, 3, 4};
  const std::vector<float> images = random_images(shape, 3);
  Buffer from(cpu(), images.size() * sizeof(float)), to(cpu(), images.size() * sizeof(float)),
      beside(cpu(), images.size() * sizeof(float));
  from.upload(images.data(), images.size());
  Recorder r(cpu());
  const Tensor in = r.external("in", from.as<void>(), shape), out = r.external("out", to.as<void>(), shape),
               other_out = r.external("other out", beside.as<void>(), shape);
  const Tensor whole = r.make("whole", shape), other = r.make("other", shape);
  // Images change places, two of them as a part of a part.
  const auto move = [&](std::int64_t image, std::int64_t place) {
    r.copy("move", r.part(in, image, 1), r.part(whole, place, 1));
  };
  move(0, 4);
  r.copy("whole", in, other);
  move(1, 3);
  move(2, 2);
  const Tensor last_two = r.part(in, 3, 2), first_two = r.part(whole, 0, 2);
  for (const std::int64_t i : {0, 1}) r.copy("move", r.part(last_two, i, 1), r.part(first_two, 1 - i, 1));
  r.copy("whole", other, other_out);
  r.copy("whole", whole, out);
  Program program = r.finish();
  program.poison();
  program.run();
  std::vector<float> result(images.size()), expected;
  for (std::int64_t i = kImages; i-- > 0;)
    expected.insert(expected.end(), images.begin() + i * kFloats, images.begin() + (i + 1) * kFloats);
  to.download(result.data(), result.size());
  CHECK(same_bits(result, expected));
  beside.download(result.data(), result.size());
  CHECK(same_bits(result, images));
}

TEST_CASE("recorder: a part has to be there, and begins at a whole byte") {
  Recorder r(cpu());
  const Tensor floats = r.make("floats", {4, 1, 3, 3}), bits = r.make("bits", {4, 1, 2, 2}, DType::bits),
               blocks = r.make("blocks", {4, 1, 3, 3}, DType::bits, Layout::blocked);
  CHECK(r.part(floats, 1, 3).offset == 9 * sizeof(float));
  CHECK(r.part(bits, 2, 2).offset == 1);
  CHECK(r.part(blocks, 1, 1).offset == static_cast<std::size_t>(r.planes(blocks).size() / 4 / 8));
  check_throws(ErrorKind::internal, "from a whole byte on", [&] { r.part(bits, 1, 1); });
  for (const auto& [first, count] : {std::pair{-1, 1}, {0, 0}, {3, 2}})
    check_throws(ErrorKind::internal, "'floats'", [&] { r.part(floats, first, count); });
}

}  // namespace inocula::test
