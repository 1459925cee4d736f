// A small plain network without normalisation layers: the quickest thing that learns.
#pragma once

#include <cstdint>

#include "engine/graph.h"
#include "models/input.h"

namespace inocula::models {

/// Three 3x3 convolutions with bias and ReLU, of `width` times 1, 2, 4 channels; 2x2 max-pooling after the
/// first two; one linear layer. Parameters: features.0, features.3, features.6, classifier, as a
/// torch.nn.Sequential of the same layers would name them.
struct SmallCnnSpec {
  InputSpec input;
  std::int64_t classes = 2;
  std::int64_t width = 16;
};

/// Throws Error (usage) where a field is out of range or the images are too small.
Graph small_cnn(const SmallCnnSpec& spec);

}  // namespace inocula::models
