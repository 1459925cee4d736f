// What every model starts with: the images' shape, and the normalisation that belongs to the model.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph.h"

namespace inocula::models {

/// Images are fp32 in [0, 1]; the model's first node computes (x - mean[c]) / std[c].
struct InputSpec {
  std::int64_t channels = 1, height = 28, width = 28;
  std::vector<float> mean, std;  ///< one a channel; empty means kUsualNormalisation (engine/source.h)
};

/// The most channels that a user's `width` may ask of a first stage: far beyond any use, and sizes of all
/// parameters stay far from the limits of 64 bits.
inline constexpr std::int64_t kMostWidth = 4096;

/// The same with mean and std written out.
InputSpec with_normalisation(InputSpec input);

/// A graph that holds the input and its normalisation.
Graph start_graph(const InputSpec& input);

}  // namespace inocula::models
