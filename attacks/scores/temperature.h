// Temperature scaling: one number that makes a network's confidence honest and changes no prediction.
#pragma once

#include <cstdint>
#include <span>

namespace inocula::attacks {

/// The temperature T > 0 that minimises the mean of -ln softmax(logits / T)_label, to a relative 1e-6,
/// between 1/64 and 64 (Guo et al., "On calibration of modern neural networks", ICML 2017). It is to be
/// fitted on images that are neither trained on nor judged. Throws Error as Predictions.
double fit_temperature(std::span<const float> logits, std::span<const std::int32_t> label,
                       std::int64_t classes);

}  // namespace inocula::attacks
