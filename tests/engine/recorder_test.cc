// What a Recorder keeps from one recording for the next.
#include "engine/recorder.h"

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

}  // namespace inocula::test
