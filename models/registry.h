// From a model spec such as "resnet18:width=16" to a graph.
#pragma once

#include <string>

#include "engine/graph.h"
#include "models/input.h"

namespace inocula::models {

/// Throws Error (usage) naming the spec, the key and what was expected.
Graph build(const std::string& spec, const InputSpec& input, std::int64_t classes);

/// The spec with every key written out, as it is stored: stem=cifar up to 64 pixels, else imagenet.
std::string canonical_spec(const std::string& spec, const InputSpec& input);

}  // namespace inocula::models
