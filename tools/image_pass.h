// What a network says of some images and the gradient that reaches them: what is compared with double
// precision.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/network.h"
#include "engine/source.h"

namespace inocula {

struct ImagePass {
  std::vector<float> logits;    ///< (N, classes)
  std::vector<float> gradient;  ///< (N, C, H, W), of the summed cross-entropy against the labels
};

/// One forward and backward of all images at once, with frozen statistics.
ImagePass run_image_pass(Network& network, const ImageSplit& images);

/// The images as a network meets them, plain (N, C, H, W) in [0, 1]: for engine/reference.h.
std::vector<double> pixels_in_double(const ImageSplit& images);

/// The same pass in double precision, by plain loops.
struct ExactImagePass {
  std::vector<double> logits, gradient;
};
ExactImagePass run_image_pass_in_double(const Network& network, const ImageSplit& images);

/// The share of numbers whose sign is not that of the exact ones: what a sign step would move otherwise.
double share_of_turned_signs(const std::vector<float>& numbers, const std::vector<double>& exact);

/// The first `count` images of a split, which has as many.
ImageSplit first_images(const ImageSplit& split, std::int64_t count);

}  // namespace inocula
