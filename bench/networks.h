// The networks that layers and steps are measured on.
#pragma once

#include <cstdint>
#include <string>

#include "engine/graph.h"
#include "models/registry.h"

namespace inocula::bench {

struct BenchNetwork {
  const char* model;
  Shape image;
  std::int64_t batch;

  Graph graph() const { return models::build(model, {image.c, image.h, image.w, {}, {}}, 2); }
};

/// Grey images of 28x28 pixels as in MedMNIST, and colour ones of 64x64.
inline constexpr BenchNetwork kNetworks[] = {
    {"resnet18:width=64", {1, 1, 28, 28}, 32},
    {"resnet18:width=16", {1, 1, 28, 28}, 64},
    {"small_cnn:width=16", {1, 1, 28, 28}, 64},
    {"resnet18:width=16", {1, 3, 64, 64}, 32},
    {"resnet18:width=16,stem=imagenet", {1, 3, 64, 64}, 32},
};

}  // namespace inocula::bench
