// Labelled images in memory, as the engine reads them; io/ fills them from files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace inocula {

/// Mean and deviation of pixels in [0, 1] by which a network normalises where none are given: MedMNIST's.
inline constexpr float kUsualNormalisation = 0.5f;

/// One split of a data set. Pixels are bytes, (count, height, width, channels): MedMNIST's own order.
struct ImageSplit {
  std::string name;  ///< "train", "val" or "test"
  std::int64_t count = 0;
  std::int64_t height = 0, width = 0;
  std::int64_t channels = 0;  ///< 1, 3, or the slices of a volume
  std::vector<std::uint8_t> pixels;
  /// (count, label_columns): of one column each in [0, classes) of the data set, of several each 0 or 1.
  std::vector<std::int32_t> labels;
  std::int64_t label_columns = 1;

  std::int64_t image_bytes() const { return height * width * channels; }
  bool multi_label() const { return label_columns > 1; }
  std::span<const std::int32_t> labels_of(std::int64_t image) const {
    return std::span(labels).subspan(static_cast<std::size_t>(image * label_columns),
                                     static_cast<std::size_t>(label_columns));
  }
};

/// A data set: splits of one image shape and one set of classes. A split that the file lacks has count 0.
struct ImageData {
  std::string path;
  std::int64_t height = 0, width = 0, channels = 0;
  /// 1 + the largest label over all splits, at least 2; of several labels an image their number.
  std::int64_t classes = 0;
  std::int64_t label_columns = 1;
  ImageSplit train, val, test;

  bool multi_label() const { return label_columns > 1; }
};

}  // namespace inocula
