// MedMNIST's layout to and from memory, with every claim of a file checked.
#include "io/dataset.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <utility>

#include "io/array_file.h"
#include "io/digest.h"

namespace inocula {
namespace {

constexpr std::array kSplits = {"train", "val", "test"};
constexpr std::int64_t kMaxLabel = 65535;

template <class Data>
auto splits_of(Data& data) {
  return std::array{&data.train, &data.val, &data.test};
}

/// A last axis of at most so many is channels: of two or four there are images that are not ours, and no
/// volumes that narrow.
constexpr std::int64_t kMostChannels = 4;

bool is_volume(const std::vector<std::int64_t>& shape) {
  return shape.size() == 4 && shape[3] > kMostChannels;
}

/// From (count, channels, pixels) to (count, pixels, channels).
std::vector<std::uint8_t> channels_last(const std::vector<std::uint8_t>& from, std::int64_t count,
                                        std::int64_t channels, std::int64_t pixels) {
  std::vector<std::uint8_t> to(from.size());
  for (std::int64_t image = 0; image < count; ++image)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t i = 0; i < pixels; ++i)
        to[static_cast<std::size_t>((image * pixels + i) * channels + c)] =
            from[static_cast<std::size_t>((image * channels + c) * pixels + i)];
  return to;
}

void read_images(ArrayFile& file, const std::string& name, const std::string& where, ImageSplit& split) {
  Array images = file.read(name);
  if (images.type != ElementType::u8) {
    fail(ErrorKind::bad_data, where, ": holds ", element_name(images.type), ", expected u8 pixels");
  }
  const std::vector<std::int64_t>& shape = images.shape;
  const bool image = shape.size() == 3 || (shape.size() == 4 && (shape[3] == 1 || shape[3] == 3));
  if (!image && !is_volume(shape)) {
    fail(ErrorKind::bad_data, where, ": has shape ", shape_text(shape),
         ", expected (N, H, W), (N, H, W, 1), (N, H, W, 3) or volumes (N, D, H, W)");
  }
  if (shape[1] == 0 || shape[2] == 0)
    fail(ErrorKind::bad_data, where, ": has images without pixels: ", shape_text(shape));
  split.count = shape[0];
  if (is_volume(shape)) {
    split.channels = shape[1];
    split.height = shape[2];
    split.width = shape[3];
    split.pixels = channels_last(images.bytes, split.count, split.channels, split.height * split.width);
    return;
  }
  split.height = shape[1];
  split.width = shape[2];
  split.channels = shape.size() == 3 ? 1 : shape[3];
  split.pixels = std::move(images.bytes);
}

/// The labels of an array of T, widened; a number out of range is named as the file has it.
template <class T>
void copy_labels(const Array& labels, const std::string& where, ImageSplit& split) {
  for (std::size_t i = 0; i < split.labels.size(); ++i) {
    T label;
    std::memcpy(&label, labels.bytes.data() + i * sizeof(T), sizeof(T));
    if (std::cmp_less(label, 0) || std::cmp_greater(label, kMaxLabel))
      fail(ErrorKind::bad_data, where, "[", i, "]: has label ", +label, ", expected 0 to ", kMaxLabel);
    split.labels[i] = static_cast<std::int32_t>(static_cast<std::make_unsigned_t<T>>(label));  // not negative
  }
}

void copy_labels(const Array& labels, const std::string& where, ImageSplit& split) {
  switch (labels.type) {
    case ElementType::i8:
      return copy_labels<std::int8_t>(labels, where, split);
    case ElementType::u16:
      return copy_labels<std::uint16_t>(labels, where, split);
    case ElementType::i16:
      return copy_labels<std::int16_t>(labels, where, split);
    case ElementType::u32:
      return copy_labels<std::uint32_t>(labels, where, split);
    case ElementType::i32:
      return copy_labels<std::int32_t>(labels, where, split);
    case ElementType::u64:
      return copy_labels<std::uint64_t>(labels, where, split);
    case ElementType::i64:
      return copy_labels<std::int64_t>(labels, where, split);
    default:
      return copy_labels<std::uint8_t>(labels, where, split);
  }
}

void read_labels(ArrayFile& file, const std::string& name, const std::string& where, ImageSplit& split) {
  const Array labels = file.read(name);
  const std::vector<std::int64_t>& shape = labels.shape;
  if (!is_integer(labels.type)) {
    fail(ErrorKind::bad_data, where, ": holds ", element_name(labels.type), ", expected integer labels");
  }
  if (shape.size() != 1 && !(shape.size() == 2 && shape[1] >= 1 && shape[1] <= kMaxLabel)) {
    fail(ErrorKind::bad_data, where, ": has shape ", shape_text(shape),
         ", expected (N) or (N, 1) of classes, or (N, L) of several labels an image");
  }
  if (shape[0] != split.count) {
    fail(ErrorKind::bad_data, where, ": has ", shape[0], " labels, expected one for each of ", split.count,
         " images");
  }
  split.label_columns = shape.size() == 2 ? shape[1] : 1;
  split.labels.resize(static_cast<std::size_t>(split.count * split.label_columns));
  copy_labels(labels, where, split);
  if (!split.multi_label()) return;
  for (std::size_t i = 0; i < split.labels.size(); ++i)
    if (split.labels[i] > 1)
      fail(ErrorKind::bad_data, where, "[", static_cast<std::int64_t>(i) / split.label_columns, ", ",
           static_cast<std::int64_t>(i) % split.label_columns, "]: has label ", split.labels[i],
           ", expected 0 or 1, since an image has ", split.label_columns, " labels");
}

std::string image_shape(const ImageSplit& split) {
  return shape_text({split.height, split.width, split.channels});
}

/// The splits agree in shape; the set takes it from them. Also counts the classes.
void unite(ImageData& data) {
  const ImageSplit* first = nullptr;
  std::int64_t images = 0;
  data.classes = 2;
  for (const ImageSplit* split : splits_of(data)) {
    images += split->count;
    if (split->channels == 0) continue;
    if (first == nullptr) first = split;
    if (image_shape(*split) != image_shape(*first)) {
      fail(ErrorKind::bad_data, data.path, ": ", split->name, "_images are ", image_shape(*split),
           ", expected ", image_shape(*first), " as in ", first->name, "_images");
    }
    if (split->label_columns != first->label_columns) {
      fail(ErrorKind::bad_data, data.path, ": ", split->name, "_labels has ", split->label_columns,
           " labels an image, expected ", first->label_columns, " as in ", first->name, "_labels");
    }
    for (const std::int32_t label : split->labels)
      data.classes = std::max<std::int64_t>(data.classes, label + 1);
  }
  if (first == nullptr) {
    fail(ErrorKind::bad_data, data.path, ": has none of the arrays train_images, val_images and test_images");
  }
  if (images == 0) fail(ErrorKind::bad_data, data.path, ": has no image in any split");
  data.height = first->height;
  data.width = first->width;
  data.channels = first->channels;
  data.label_columns = first->label_columns;
  if (data.multi_label()) data.classes = data.label_columns;
}

/// One split's images by the hash of their bytes.
using HashIndex = std::unordered_multimap<std::uint64_t, std::int64_t>;

const std::uint8_t* image_at(const ImageSplit& split, std::int64_t i) {
  return split.pixels.data() + i * split.image_bytes();
}

std::uint64_t hash_image(const ImageSplit& split, std::int64_t i) {
  return XXH3_64bits(image_at(split, i), static_cast<std::size_t>(split.image_bytes()));
}

/// An indexed image of `among` that equals image i of `split`, or -1.
std::int64_t find_equal(const ImageSplit& split, std::int64_t i, std::uint64_t hash, const ImageSplit& among,
                        const HashIndex& index) {
  const auto [begin, end] = index.equal_range(hash);
  for (auto candidate = begin; candidate != end; ++candidate) {
    if (std::memcmp(image_at(split, i), image_at(among, candidate->second),
                    static_cast<std::size_t>(split.image_bytes())) == 0) {
      return candidate->second;
    }
  }
  return -1;
}

/// Images of each class, or with each label.
std::vector<std::int64_t> count_labels(const ImageSplit& split, std::int64_t classes) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes), 0);
  for (std::size_t i = 0; i < split.labels.size(); ++i) {
    if (split.multi_label())
      counts[i % counts.size()] += split.labels[i];
    else
      ++counts[static_cast<std::size_t>(split.labels[i])];
  }
  return counts;
}

SplitInfo describe_split(const ImageSplit& split, std::int64_t classes) {
  SplitInfo info{.name = split.name,
                 .count = split.count,
                 .class_counts = count_labels(split, classes),
                 .mean = {},
                 .repeated = 0};
  if (split.count == 0) return info;
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(split.channels), 0);
  for (std::size_t i = 0; i < split.pixels.size(); ++i) sums[i % sums.size()] += split.pixels[i];
  for (const std::uint64_t sum : sums) {
    info.mean.push_back(static_cast<double>(sum) / 255.0 /
                        static_cast<double>(split.pixels.size() / sums.size()));
  }
  return info;
}

}  // namespace

ImageData load_image_data(const std::string& path) {
  const std::unique_ptr<ArrayFile> file = open_array_file(path);
  ImageData data;
  data.path = path;
  const auto splits = splits_of(data);
  for (std::size_t s = 0; s < splits.size(); ++s) {
    ImageSplit& split = *splits[s];
    split.name = kSplits[s];
    const std::string images = split.name + "_images", labels = split.name + "_labels";
    if (!file->contains(images) && !file->contains(labels)) continue;
    read_images(*file, images, path + ": " + images, split);
    read_labels(*file, labels, path + ": " + labels, split);
  }
  unite(data);
  return data;
}

std::vector<std::string> other_arrays(const std::string& path) {
  const std::unique_ptr<ArrayFile> file = open_array_file(path);
  std::vector<std::string> others;
  for (const std::string& name : file->names()) {
    const bool known = std::any_of(kSplits.begin(), kSplits.end(), [&](const std::string& split) {
      return name == split + "_images" || name == split + "_labels";
    });
    if (!known) others.push_back(name);
  }
  return others;
}

void save_image_data(const std::string& path, const ImageData& data) {
  ArrayViews arrays;
  std::deque<std::vector<std::uint8_t>> bytes;  // what the views of labels point into
  std::deque<std::vector<std::uint16_t>> words;
  std::deque<std::vector<std::uint8_t>> volumes;
  for (const ImageSplit* split : splits_of(data)) {
    if (split->count == 0) continue;
    const std::int64_t pixels = split->height * split->width;
    std::vector<std::int64_t> shape{split->count, split->height, split->width};
    if (split->channels == 3) shape.push_back(split->channels);
    const bool volume = split->channels != 1 && split->channels != 3;
    if (volume) shape.insert(shape.begin() + 1, split->channels);
    // The inverse of channels_last, with pixels and channels in each other's place.
    arrays[split->name + "_images"] = view_of(
        volume ? volumes.emplace_back(channels_last(split->pixels, split->count, pixels, split->channels))
               : split->pixels,
        shape);
    ArrayView& labels = arrays[split->name + "_labels"];
    const std::vector<std::int64_t> label_shape{split->count, split->label_columns};
    if (data.classes <= 256 || data.multi_label()) {
      labels = view_of(bytes.emplace_back(split->labels.begin(), split->labels.end()), label_shape);
    } else {
      labels = view_of(words.emplace_back(split->labels.begin(), split->labels.end()), label_shape);
    }
  }
  write_array_file(path, arrays);
}

const ImageSplit& require_split(const ImageData& data, const std::string& name) {
  for (const ImageSplit* split : splits_of(data)) {
    if (split->name != name) continue;
    if (split->count == 0) fail(ErrorKind::bad_data, data.path, ": split '", name, "' has no images");
    return *split;
  }
  fail(ErrorKind::usage, "split '", name, "' is unknown, expected train, val or test");
}

std::string training_digest(const ImageData& data) {
  Xxh3Digest digest;
  const std::string classes = std::to_string(data.classes) + (data.multi_label() ? " labels" : " classes");
  digest.add(classes.data(), classes.size());
  for (const ImageSplit* split : {&data.train, &data.val}) {
    const std::string shape =
        " " + split->name + shape_text({split->count, split->height, split->width, split->channels});
    digest.add(shape.data(), shape.size());
    digest.add(split->pixels.data(), split->pixels.size());
    digest.add(split->labels.data(), split->labels.size() * sizeof(split->labels[0]));
  }
  return digest.hex();
}

void require_every_class(const ImageData& data) {
  const ImageSplit& train = require_split(data, "train");
  const std::vector<std::int64_t> counts = count_labels(train, data.classes);
  const auto missing = std::find(counts.begin(), counts.end(), 0);
  if (missing == counts.end()) return;
  if (data.multi_label())
    fail(ErrorKind::bad_data, data.path, ": train_labels: no image has label ", missing - counts.begin(),
         ", expected at least one with each label from 0 to ", data.classes - 1);
  fail(ErrorKind::bad_data, data.path, ": train_labels: no image is of class ", missing - counts.begin(),
       ", expected at least one of each class from 0 to ", data.classes - 1,
       data.classes == 2 ? " (two classes at least)" : " (the largest label of all splits)");
}

DataInfo describe(const ImageData& data) {
  DataInfo info;
  const auto splits = splits_of(data);
  std::array<HashIndex, 3> seen;
  std::size_t pair = 0;
  for (std::size_t later = 0; later < splits.size(); ++later) {
    const ImageSplit& split = *splits[later];
    info.splits[later] = describe_split(split, data.classes);
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      info.shared[pair + earlier] = {splits[earlier]->name, split.name, 0, 0};
    }
    for (std::int64_t i = 0; i < split.count; ++i) {
      const std::uint64_t hash = hash_image(split, i);
      for (std::size_t earlier = 0; earlier < later; ++earlier) {
        const std::int64_t twin = find_equal(split, i, hash, *splits[earlier], seen[earlier]);
        if (twin < 0) continue;
        ++info.shared[pair + earlier].count;
        info.shared[pair + earlier].other_label +=
            !std::ranges::equal(splits[earlier]->labels_of(twin), split.labels_of(i));
      }
      if (find_equal(split, i, hash, split, seen[later]) >= 0) {
        ++info.splits[later].repeated;
      } else {
        seen[later].emplace(hash, i);
      }
    }
    pair += later;
  }
  return info;
}

}  // namespace inocula
