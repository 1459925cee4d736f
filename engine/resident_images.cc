// Upload once, gather every step.
#include "engine/resident_images.h"

#include <algorithm>

#include "engine/error.h"

namespace inocula {

ResidentImages::ResidentImages(const Network& network, const ImageSplit& split, std::int64_t batch)
    : count_(split.count),
      batch_(batch),
      channels_(split.channels),
      height_(split.height),
      width_(split.width) {
  const Device& device = network.device();
  const Shape& image = network.graph().input_shape();
  const std::int64_t classes = network.graph().classes();
  if (split.channels != image.c || split.height != image.h || split.width != image.w)
    fail(ErrorKind::bad_data, "split '", split.name, "': images are ", split.channels, " x ", split.height,
         " x ", split.width, " (channels, height, width), the network expects ", image.c, " x ", image.h,
         " x ", image.w);
  if (count_ < 1) fail(ErrorKind::bad_data, "split '", split.name, "' is empty, expected at least one image");
  if (static_cast<std::int64_t>(split.pixels.size()) != count_ * split.image_bytes() ||
      static_cast<std::int64_t>(split.labels.size()) != count_)
    fail(ErrorKind::bad_data, "split '", split.name, "': ", split.pixels.size(), " bytes of pixels and ",
         split.labels.size(), " labels, expected ", count_ * split.image_bytes(), " and ", count_);
  for (std::size_t i = 0; i < split.labels.size(); ++i)
    if (split.labels[i] < 0 || split.labels[i] >= classes)
      fail(ErrorKind::bad_data, "split '", split.name, "': label ", split.labels[i], " of image ", i,
           ", expected 0 to ", classes - 1);
  pixels_ = Buffer(device, split.pixels.size());
  pixels_.upload(split.pixels.data(), split.pixels.size());
  labels_ = Buffer(device, split.labels.size() * sizeof(std::int32_t));
  labels_.upload(split.labels.data(), split.labels.size());
  index_ = Buffer(device, static_cast<std::size_t>(batch) * sizeof(std::int32_t));
}

BatchTensors ResidentImages::record(Recorder& r, const Tensor& state, std::int64_t rows,
                                    const Augmentation& augmentation) const {
  const Tensor all_images =
      r.external("data set images", pixels_.as<void>(), {count_, channels_, height_, width_}, DType::bytes);
  const Tensor all_labels = r.external("data set labels", labels_.as<void>(), {count_, 1, 1, 1}, DType::i32);
  BatchTensors b;
  b.sample = r.external("image indices", index_.as<void>(), {rows, 1, 1, 1}, DType::i32);
  b.images = r.make("images", {rows, channels_, height_, width_});
  b.label = r.make("labels", {rows, 1, 1, 1}, DType::i32);
  const Gather shape{.rows = rows,
                     .channels = channels_,
                     .height = height_,
                     .width = width_,
                     .flip = augmentation.flip ? 1 : 0,
                     .shift = augmentation.shift};
  r.kernel("data.gather", r.kernels().gather, [=](Access& at) {
    Gather a = shape;
    a.images = at.in<std::uint8_t>(all_images);
    a.all_labels = at.in<std::int32_t>(all_labels);
    a.index = at.in<std::int32_t>(b.sample);
    a.state = at.in<StepState>(state);
    a.x = at.out(b.images);
    a.label = at.out<std::int32_t>(b.label);
    return a;
  });
  return b;
}

}  // namespace inocula
