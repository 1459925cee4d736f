// Labelled images in memory, as the engine reads them; io/ fills them from files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace inocula {

/// Mean and deviation of pixels in [0, 1] by which a network normalises where none are given: MedMNIST's.
inline constexpr float kUsualNormalisation = 0.5f;

/// One split of a data set. Pixels are bytes, (count, height, width, channels): MedMNIST's own order.
struct ImageSplit {
  std::string name;  ///< "train", "val" or "test"
  std::int64_t count = 0;
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;  ///< (count), each in [0, classes) of the data set

  std::int64_t image_bytes() const { return height * width * channels; }
};

/// A data set: splits of one image shape and one set of classes. A split that the file lacks has count 0.
struct ImageData {
  std::string path;
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t classes = 0;  ///< 1 + the largest label over all splits, at least 2
  ImageSplit train, val, test;
};

}  // namespace inocula
