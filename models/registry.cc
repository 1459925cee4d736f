// The models by name.
#include "models/registry.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/spec.h"
#include "models/resnet.h"
#include "models/small_cnn.h"

namespace inocula::models {

namespace {

constexpr std::int64_t kCifarStemLimit = 64;  // pixels

[[noreturn]] void refuse(const Spec& s) {
  fail(ErrorKind::usage, "'", s.text(), "': unknown model '", s.name(),
       "', expected one of: resnet18, small_cnn");
}

std::int64_t width_of(const Spec& s, std::int64_t fallback) {
  return s.integer("width", fallback, 1, kMostWidth);
}

std::string stem_of(const Spec& s, const InputSpec& input) {
  const bool small = std::max(input.height, input.width) <= kCifarStemLimit;
  const std::string stem = s.word("stem", small ? "cifar" : "imagenet");
  if (stem != "cifar" && stem != "imagenet")
    fail(ErrorKind::usage, "'", s.text(), "': stem=", stem, ", expected cifar or imagenet");
  return stem;
}

}  // namespace

std::string canonical_spec(const std::string& text, const InputSpec& input) {
  const Spec s = Spec::parse(text);
  if (s.name() == "resnet18") {
    s.allow({"width", "stem"});
    return "resnet18:width=" + std::to_string(width_of(s, 64)) + ",stem=" + stem_of(s, input);
  }
  if (s.name() == "small_cnn") {
    s.allow({"width"});
    return "small_cnn:width=" + std::to_string(width_of(s, 16));
  }
  refuse(s);
}

Graph build(const std::string& text, const InputSpec& input, std::int64_t classes) {
  const Spec s = Spec::parse(canonical_spec(text, input));
  if (s.name() == "resnet18")
    return resnet18({.input = input,
                     .classes = classes,
                     .width = s.integer("width", 0),
                     .stem = s.word("stem", "") == "cifar" ? Stem::cifar : Stem::imagenet});
  if (s.name() == "small_cnn")
    return small_cnn({.input = input, .classes = classes, .width = s.integer("width", 0)});
  refuse(s);
}

}  // namespace inocula::models
