// ResNet-18 in any width, with the stem for small images or ImageNet's.
#pragma once

#include <cstdint>

#include "engine/graph.h"
#include "models/input.h"

namespace inocula::models {

enum class Stem {
  cifar,     ///< 3x3 convolution of stride 1, no pooling: for images up to about 64 pixels
  imagenet,  ///< 7x7 convolution of stride 2 and 3x3 max-pooling of stride 2
};

/// He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016; parameters named as in
/// torchvision. Stages of `width` times 1, 2, 4, 8 channels, two basic blocks each.
struct ResNet18Spec {
  InputSpec input;
  std::int64_t classes = 2;
  std::int64_t width = 64;
  Stem stem = Stem::cifar;
};

/// Throws Error (usage) where a field is out of range or the images are too small.
Graph resnet18(const ResNet18Spec& spec);

}  // namespace inocula::models
