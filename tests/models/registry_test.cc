// Models by name: defaults, canonical forms, refusals.
#include "models/registry.h"

#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

models::InputSpec input(std::int64_t size) {
  return {.channels = 1, .height = size, .width = size, .mean = {}, .std = {}};
}

void refuse(const std::string& text, const std::string& part) {
  CAPTURE(text);
  check_throws(ErrorKind::usage, part, [&] { models::canonical_spec(text, input(28)); });
  check_throws(ErrorKind::usage, part, [&] { models::build(text, input(28), 2); });
}

}  // namespace

TEST_CASE("registry: canonical forms write every key out") {
  CHECK(models::canonical_spec("resnet18", input(28)) == "resnet18:width=64,stem=cifar");
  CHECK(models::canonical_spec("resnet18", input(64)) == "resnet18:width=64,stem=cifar");
  CHECK(models::canonical_spec("resnet18", input(65)) == "resnet18:width=64,stem=imagenet");
  CHECK(models::canonical_spec("resnet18:stem=imagenet,width=16", input(28)) ==
        "resnet18:width=16,stem=imagenet");
  CHECK(models::canonical_spec("resnet18:stem=cifar", input(224)) == "resnet18:width=64,stem=cifar");
  CHECK(models::canonical_spec("small_cnn", input(28)) == "small_cnn:width=16");
  CHECK(models::canonical_spec("small_cnn:width=8", input(28)) == "small_cnn:width=8");
  for (const char* text : {"resnet18", "resnet18:width=8", "small_cnn"}) {
    const std::string once = models::canonical_spec(text, input(28));
    CHECK(models::canonical_spec(once, input(28)) == once);
    CHECK(models::canonical_spec(once, input(224)) ==
          once);  // stored once, it no longer depends on the images
  }
}

TEST_CASE("registry: a long side decides the stem, and the graph has it") {
  models::InputSpec wide = input(28);
  wide.width = 100;
  CHECK(models::canonical_spec("resnet18", wide) == "resnet18:width=64,stem=imagenet");
  const auto first_kernel = [](const Graph& g) {
    return std::get<op::Conv>(g.node(2).operation).window.kernel_h;
  };
  CHECK(first_kernel(models::build("resnet18:width=4", wide, 2)) == 7);
  CHECK(first_kernel(models::build("resnet18:width=4", input(28), 2)) == 3);
  CHECK(models::build("resnet18", input(28), 2).parameter_count() == 11168706);
  CHECK(models::build("small_cnn:width=5", input(28), 3).classes() == 3);
}

TEST_CASE("registry: what it cannot build is refused") {
  refuse("", "expected name:key=value");
  refuse("resnet50", "'resnet50': unknown model 'resnet50', expected one of: resnet18, small_cnn");
  refuse("resnet18:depth=3", "'resnet18:depth=3': unknown key 'depth', expected one of: width, stem");
  refuse("small_cnn:stem=cifar", "unknown key 'stem', expected one of: width");
  refuse("resnet18:width=wide", "width=wide, expected a whole number");
  refuse("resnet18:stem=small", "stem=small, expected cifar or imagenet");
  for (const std::string model : {"resnet18", "small_cnn"})
    for (const std::string width : {"0", "-1", "4097", "99999999999"})
      refuse(model + ":width=" + width, "width=" + width + ", expected a whole number from 1 to 4096");
}

}  // namespace inocula::test
