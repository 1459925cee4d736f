// A split of a data set in device memory, from which Programs gather their batches.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/device.h"
#include "engine/network.h"
#include "engine/recorder.h"
#include "engine/source.h"

namespace inocula {

/// Random changes of training images, each a function of (seed, batch, image).
struct Augmentation {
  bool flip = false;       ///< left to right with probability 1/2
  std::int32_t shift = 0;  ///< up to so many pixels each way, zeros moving in
};

/// A batch inside a Program.
struct BatchTensors {
  Tensor images;  ///< plain (N, C, H, W) in [0, 1]
  Tensor label;   ///< (N) i32, or (N, L) of several labels an image
  Tensor sample;  ///< (N) i32: what was written to the index buffer
};

class ResidentImages {
 public:
  /// On the network's device. `label_column` takes one of several labels alone, as class 0 or 1. Throws Error
  /// (bad_data) where the images or labels do not fit the network.
  ResidentImages(const Network& network, const ImageSplit& split, std::int64_t batch,
                 std::optional<std::int64_t> label_column = {});

  std::int64_t count() const { return count_; }
  /// Labels of an image in a batch.
  std::int64_t label_columns() const { return label_columns_; }
  std::int64_t batch() const { return batch_; }
  /// Which images the next run takes: `batch` indices, negative for a black image.
  void choose(const std::int32_t* indices) { index_.upload(indices, static_cast<std::size_t>(batch_)); }
  /// Records the gathering of the first `rows` chosen images, at most batch().
  BatchTensors record(Recorder& r, const Tensor& state, std::int64_t rows,
                      const Augmentation& augmentation = {}) const;

 private:
  std::int64_t count_, batch_, channels_, height_, width_, label_columns_;
  Buffer pixels_, labels_, index_;
};

}  // namespace inocula
