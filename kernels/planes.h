// A view of activations in the backend's layout: rows of pixels, each pixel a block of channels.
//
// One description covers NCHW (block 1), nChw8c and nChw16c (block 8, 16) and channels-last (block = all
// channels): plane (n, b) is contiguous and holds h * w pixels of `block` channels. Channels at or beyond
// `channels` are padding; every kernel reads them as zeros and leaves zeros there. A plane has fewer than
// 2^31 elements. A kernel's `void` pointers are to activations of the `element` that their shape names.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element.h"
#include "kernels/target.h"

namespace inocula {

struct PlaneShape {
  std::int64_t batch = 0;
  std::int64_t channels = 0;  ///< without padding
  std::int64_t height = 0, width = 0;
  std::int64_t block = 1;  ///< channels stored side by side
  Element element = Element::f32;

  INOCULA_HD std::int64_t blocks() const { return (channels + block - 1) / block; }
  INOCULA_HD std::int64_t padded_channels() const { return blocks() * block; }
  INOCULA_HD std::int64_t pixels() const { return height * width; }
  INOCULA_HD std::int64_t plane_size() const { return pixels() * block; }
  INOCULA_HD std::int64_t planes() const { return batch * blocks(); }
  INOCULA_HD std::int64_t size() const { return planes() * plane_size(); }
  INOCULA_HD std::size_t bytes() const { return static_cast<std::size_t>(size()) * element_bytes(element); }
};

}  // namespace inocula
