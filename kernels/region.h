// Which pixels of an image may change, and images that are brought to keep to it.
#pragma once

#include <cstdint>

namespace inocula {

/// The same pixels in every channel.
struct Region {
  /// (images, pixels), by the image's index in its data set, or (1, pixels): not 0 where a pixel may change;
  /// null: everywhere.
  const std::uint8_t* mask = nullptr;
  std::int64_t pixels = 0;  ///< height * width
  std::int64_t stride = 0;  ///< pixels, or 0 where one mask is for all images
};

/// keep_to_region: y = x where a pixel may change, elsewhere `outside`. Padding rows are x.
struct KeepToRegion {
  const float* x = nullptr;              ///< (rows, cols)
  const float* outside = nullptr;        ///< (rows, cols); null: 0
  float* y = nullptr;                    ///< (rows, cols); may be x
  const std::int32_t* sample = nullptr;  ///< (rows): index of the image in its data set; negative: padding
  std::int64_t rows = 0, cols = 0;       ///< cols: channels * pixels
  Region region;                         ///< has a mask
};

}  // namespace inocula
