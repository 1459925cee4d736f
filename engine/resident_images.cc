// Upload once, gather every step.
#include "engine/resident_images.h"

#include <algorithm>

#include "engine/error.h"

namespace inocula {

namespace {

/// What a batch carries of the split's labels.
std::vector<std::int32_t> taken_labels(const ImageSplit& split, std::optional<std::int64_t> column) {
  if (!column) return split.labels;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < split.count; ++i)
    labels.push_back(split.labels_of(i)[static_cast<std::size_t>(*column)]);
  return labels;
}

/// Memory for what stays on the device as long as the split is used: no batch makes it smaller.
Buffer resident(const Device& device, const ImageSplit& split, std::size_t bytes) {
  try {
    return {device, bytes};
  } catch (const OutOfMemory& e) {
    fail_out_of_memory(e.device(), e.needed(), e.free(),
                       "split '" + split.name + "' stays there with all its " + std::to_string(split.count) +
                           " images; fewer or smaller ones need less");
  }
}

}  // namespace

ResidentImages::ResidentImages(const Network& network, const ImageSplit& split, std::int64_t batch,
                               std::optional<std::int64_t> label_column)
    : count_(split.count),
      batch_(batch),
      channels_(split.channels),
      height_(split.height),
      width_(split.width),
      label_columns_(label_column ? 1 : split.label_columns) {
  const Device& device = network.device();
  const Shape& image = network.graph().input_shape();
  const std::int64_t classes = network.graph().classes();
  if (split.channels != image.c || split.height != image.h || split.width != image.w)
    fail(ErrorKind::bad_data, "split '", split.name, "': images are ", split.channels, " x ", split.height,
         " x ", split.width, " (channels, height, width), the network expects ", image.c, " x ", image.h,
         " x ", image.w);
  if (count_ < 1) fail(ErrorKind::bad_data, "split '", split.name, "' is empty, expected at least one image");
  if (static_cast<std::int64_t>(split.pixels.size()) != count_ * split.image_bytes() ||
      static_cast<std::int64_t>(split.labels.size()) != count_ * split.label_columns)
    fail(ErrorKind::bad_data, "split '", split.name, "': ", split.pixels.size(), " bytes of pixels and ",
         split.labels.size(), " labels, expected ", count_ * split.image_bytes(), " and ",
         count_ * split.label_columns);
  if (split.multi_label() && split.label_columns != classes)
    fail(ErrorKind::bad_data, "split '", split.name, "': has ", split.label_columns,
         " labels an image, the network answers ", classes);
  if (label_column && (!split.multi_label() || *label_column < 0 || *label_column >= split.label_columns))
    fail(ErrorKind::usage, "split '", split.name, "': label ", *label_column, " of ", split.label_columns,
         " an image is to be taken, expected one of several");
  const std::int64_t values = split.multi_label() ? 2 : classes;
  for (std::size_t i = 0; i < split.labels.size(); ++i)
    if (split.labels[i] < 0 || split.labels[i] >= values)
      fail(ErrorKind::bad_data, "split '", split.name, "': label ", split.labels[i], " of image ",
           static_cast<std::int64_t>(i) / split.label_columns, ", expected 0 to ", values - 1);
  pixels_ = resident(device, split, split.pixels.size());
  pixels_.upload(split.pixels.data(), split.pixels.size());
  const std::vector<std::int32_t> labels = taken_labels(split, label_column);
  labels_ = resident(device, split, labels.size() * sizeof(std::int32_t));
  labels_.upload(labels.data(), labels.size());
  index_ = Buffer(device, static_cast<std::size_t>(batch) * sizeof(std::int32_t));
}

BatchTensors ResidentImages::record(Recorder& r, const Tensor& state, std::int64_t rows,
                                    const Augmentation& augmentation) const {
  const Tensor all_images =
      r.external("data set images", pixels_.as<void>(), {count_, channels_, height_, width_}, DType::bytes);
  const Tensor all_labels =
      r.external("data set labels", labels_.as<void>(), {count_, label_columns_, 1, 1}, DType::i32);
  BatchTensors b;
  b.sample = r.external("image indices", index_.as<void>(), {rows, 1, 1, 1}, DType::i32);
  b.images = r.make("images", {rows, channels_, height_, width_});
  b.label = r.make("labels", {rows, label_columns_, 1, 1}, DType::i32);
  const Gather shape{.rows = rows,
                     .channels = channels_,
                     .height = height_,
                     .width = width_,
                     .label_columns = label_columns_,
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
