// Image sets: MedMNIST's layout from and to both formats, and every way in which a file can miss it.
#include "io/dataset.h"

#include "io/array_file.h"
#include "tests/io/files.h"

namespace inocula {
namespace {

using Shape = std::vector<std::int64_t>;

/// An array of bytes that count up.
Array bytes(const Shape& shape) {
  Array array = make_array(ElementType::u8, shape, "test");
  for (std::size_t i = 0; i < array.bytes.size(); ++i) array.bytes[i] = static_cast<std::uint8_t>(i);
  return array;
}

template <class T>
Array labels(const std::vector<T>& values, const Shape& shape) {
  const ArrayView view = view_of(values, shape);
  return {view.type, shape, {view.bytes.begin(), view.bytes.end()}};
}

Array labels(const std::vector<std::uint8_t>& values) {
  return labels(values, {static_cast<std::int64_t>(values.size()), 1});
}

ImageData load(const TempFolder& folder, const Arrays& arrays, const std::string& name = "a.npz") {
  write_array_file(folder / name, views_of(arrays));
  return load_image_data(folder / name);
}

TEST_CASE("dataset: grey and colour images, labels of every integer type") {
  const TempFolder folder;
  const ImageData grey =
      load(folder, {{"train_images", bytes({3, 4, 5})}, {"train_labels", labels({0, 1, 2})}});
  CHECK(grey.channels == 1);
  CHECK(grey.height == 4);
  CHECK(grey.width == 5);
  CHECK(grey.classes == 3);
  CHECK(grey.train.name == "train");
  CHECK(grey.train.count == 3);
  CHECK(grey.train.pixels == bytes({3, 4, 5}).bytes);
  CHECK(grey.train.labels == std::vector<std::int32_t>{0, 1, 2});
  CHECK(grey.val.count == 0);
  CHECK(grey.val.name == "val");
  CHECK(load(folder, {{"val_images", bytes({3, 4, 5, 1})}, {"val_labels", labels({0, 0, 0})}}).classes == 2);
  CHECK(load(folder, {{"test_images", bytes({2, 4, 5, 3})}, {"test_labels", labels({1, 0})}}).channels == 3);

  const auto check_type = [&]<class T>(T) {
    const ImageData data =
        load(folder, {{"test_images", bytes({2, 4, 5})}, {"test_labels", labels<T>({1, 100}, {2})}});
    CHECK(data.test.labels == std::vector<std::int32_t>{1, 100});
  };
  check_type(std::int8_t{}), check_type(std::uint8_t{}), check_type(std::int16_t{}),
      check_type(std::uint16_t{});
  check_type(std::int32_t{}), check_type(std::uint32_t{}), check_type(std::int64_t{}),
      check_type(std::uint64_t{});
}

TEST_CASE("dataset: what misses the layout is told with file, array and expectation") {
  const TempFolder folder;
  const auto refused = [&](const Arrays& arrays, const std::string& part) {
    CHECK_FAILS(ErrorKind::bad_data, part, load(folder, arrays));
    CHECK_FAILS(ErrorKind::bad_data, "a.npz: ", load(folder, arrays));
  };
  const Array images = bytes({2, 4, 5}), two = labels({0, 1});
  refused({{"images", images}}, "has none of the arrays train_images, val_images and test_images");
  refused({{"train_images", images}}, "has no array 'train_labels'");
  refused({{"train_labels", two}}, "has no array 'train_images'");
  refused({{"train_images", labels<float>({1, 2}, {2, 1, 1})}, {"train_labels", two}},
          "holds f32, expected u8");
  for (const Shape& shape : {Shape{}, {40}, {2, 20}, {2, 4, 5, 2}, {2, 4, 5, 1, 1}}) {
    refused({{"train_images", bytes(shape)}, {"train_labels", two}}, "has shape " + shape_text(shape));
  }
  refused({{"train_images", bytes({2, 0, 5})}, {"train_labels", two}}, "without pixels");
  refused({{"train_images", images}, {"train_labels", labels<float>({0, 1}, {2, 1})}},
          "expected integer labels");
  refused({{"train_images", images}, {"train_labels", bytes({2, 14})}},
          "train_labels[0, 2]: has label 2, expected 0 or 1, since an image has 14 labels");
  refused({{"train_images", images}, {"train_labels", bytes({2, 1, 1})}}, "expected (N) or (N, 1)");
  refused({{"train_images", images}, {"train_labels", labels({0, 1, 0})}},
          "has 3 labels, expected one for each of 2");
  refused({{"train_images", images}, {"train_labels", labels<std::int16_t>({0, -1}, {2})}},
          "train_labels[1]: has label -1");
  refused({{"train_images", images}, {"train_labels", labels<std::int32_t>({65536, 0}, {2})}},
          "train_labels[0]: has label 65536");
  refused({{"train_images", images}, {"train_labels", labels<std::uint64_t>({UINT64_MAX, 0}, {2})}},
          "train_labels[0]: has label 18446744073709551615, expected 0 to 65535");
  refused({{"train_images", images},
           {"train_labels", labels<std::uint64_t>({1, (std::uint64_t{1} << 63) + 5}, {2})}},
          "train_labels[1]: has label 9223372036854775813");
  refused({{"train_images", images}, {"train_labels", labels<std::int8_t>({-7, 0}, {2})}},
          "train_labels[0]: has label -7");
  refused({{"train_images", images},
           {"train_labels", two},
           {"val_images", bytes({2, 5, 4})},
           {"val_labels", two}},
          "val_images are (5, 4, 1), expected (4, 5, 1) as in train_images");
  refused({{"train_images", bytes({0, 4, 5})}, {"train_labels", labels({})}}, "no image in any split");
}

TEST_CASE("dataset: what is no file of arrays is told apart") {
  const TempFolder folder;
  put_file(folder / "empty.npz", "");
  put_file(folder / "text.npz", "images\n");
  put_file(folder / "short.h5", "\x89HDF");
  CHECK_FAILS(ErrorKind::no_input, "none.npz: cannot be opened", load_image_data(folder / "none.npz"));
  CHECK_FAILS(ErrorKind::no_input, "is a folder", load_image_data(folder.path()));
  for (const char* name : {"empty.npz", "text.npz", "short.h5"}) {
    CHECK_FAILS(ErrorKind::bad_data, "neither an .npz nor an HDF5 file", load_image_data(folder / name));
  }
}

TEST_CASE("dataset: an empty split is told when it is asked for") {
  const TempFolder folder;
  const ImageData data = load(folder, {{"train_images", bytes({2, 4, 5})},
                                       {"train_labels", labels({0, 1})},
                                       {"val_images", bytes({0, 4, 5})},
                                       {"val_labels", labels({})}});
  CHECK(&require_split(data, "train") == &data.train);
  CHECK_FAILS(ErrorKind::bad_data, "a.npz: split 'val' has no images", require_split(data, "val"));
  CHECK_FAILS(ErrorKind::bad_data, "a.npz: split 'test' has no images", require_split(data, "test"));
  CHECK_FAILS(ErrorKind::usage, "split 'valid' is unknown", require_split(data, "valid"));
}

TEST_CASE("dataset: training wants an image of each class, and the class that has none is named") {
  const TempFolder folder;
  const auto set = [&](const std::vector<std::uint8_t>& train, const std::vector<std::uint8_t>& test) {
    return load(folder, {{"train_images", bytes({static_cast<std::int64_t>(train.size()), 1, 2})},
                         {"train_labels", labels(train)},
                         {"test_images", bytes({static_cast<std::int64_t>(test.size()), 1, 2})},
                         {"test_labels", labels(test)}});
  };
  require_every_class(set({0, 1}, {1}));
  require_every_class(set({2, 0, 1}, {0}));
  CHECK_FAILS(ErrorKind::bad_data, "a.npz: train_labels: no image is of class 1, expected",
              require_every_class(set({0, 0}, {0})));
  CHECK_FAILS(ErrorKind::bad_data, "no image is of class 0", require_every_class(set({1, 1}, {1})));
  CHECK_FAILS(ErrorKind::bad_data, "class 1, expected at least one of each class from 0 to 255",
              require_every_class(set({0, 255}, {0})));
  CHECK_FAILS(ErrorKind::bad_data, "no image is of class 2", require_every_class(set({0, 1}, {2})));
}

TEST_CASE("dataset: the digest of what is trained on follows content and nothing else") {
  const TempFolder folder;
  const Arrays whole{{"train_images", bytes({3, 4, 5})}, {"train_labels", labels({0, 1, 2})},
                     {"val_images", bytes({2, 4, 5})},   {"val_labels", labels({1, 0})},
                     {"test_images", bytes({2, 4, 5})},  {"test_labels", labels({1, 0})}};
  const std::string digest = training_digest(load(folder, whole));
  CHECK(digest.size() == 32);
  CHECK(training_digest(load(folder, whole, "b.h5")) == digest);
  const auto changed = [&](const std::string& name, const Array& array) {
    Arrays arrays = whole;
    arrays[name] = array;
    return training_digest(load(folder, arrays)) != digest;
  };
  Array other = bytes({3, 4, 5});
  ++other.bytes.back();
  CHECK(changed("train_images", other));
  CHECK(changed("train_labels", labels({0, 2, 1})));
  CHECK(changed("val_labels", labels({1, 1})));
  CHECK(changed("test_labels", labels({1, 7})));  // another number of classes
  CHECK_FALSE(changed("test_labels", labels({0, 0})));
  CHECK_FALSE(changed("train_labels", labels<std::int64_t>({0, 1, 2}, {3})));
  // The same bytes in another shape.
  CHECK(
      training_digest(load(folder, {{"train_images", bytes({2, 4, 5})}, {"train_labels", labels({0, 1})}})) !=
      training_digest(load(folder, {{"train_images", bytes({2, 5, 4})}, {"train_labels", labels({0, 1})}})));
}

TEST_CASE("dataset: arrays beside the layout are named") {
  const TempFolder folder;
  const Arrays plain{{"val_images", bytes({2, 4, 5})}, {"val_labels", labels({0, 1})}};
  write_array_file(folder / "plain.npz", views_of(plain));
  CHECK(other_arrays(folder / "plain.npz").empty());
  Arrays more = plain;
  more["patient"] = bytes({2});
  more["train_mask"] = bytes({2, 4, 5});
  for (const char* name : {"more.npz", "more.h5"}) {
    write_array_file(folder / name, views_of(more));
    CHECK(other_arrays(folder / name) == std::vector<std::string>{"patient", "train_mask"});
  }
}

TEST_CASE("dataset: conversion both ways, by extension out and by content in") {
  const TempFolder folder;
  const ImageData data = load(folder, {{"train_images", bytes({3, 4, 5, 3})},
                                       {"train_labels", labels({0, 1, 2})},
                                       {"test_images", bytes({2, 4, 5, 3})},
                                       {"test_labels", labels({2, 0})}});
  save_image_data(folder / "b.h5", data);
  save_image_data(folder / "c.npz", load_image_data(folder / "b.h5"));
  CHECK(get_file(folder / "c.npz") == get_file(folder / "a.npz"));
  save_image_data(folder / "b2.hdf5", load_image_data(folder / "c.npz"));
  CHECK(get_file(folder / "b2.hdf5") == get_file(folder / "b.h5"));
  put_file(folder / "misnamed.npz", get_file(folder / "b.h5"));
  CHECK(load_image_data(folder / "misnamed.npz").train.pixels == data.train.pixels);
  CHECK_FAILS(ErrorKind::usage, "extension '.png', expected .npz or .h5",
              save_image_data(folder / "a.png", data));

  const ImageData wide = load(folder, {{"train_images", bytes({2, 4, 5, 1})},
                                       {"train_labels", labels<std::int64_t>({65535, 7}, {2})}});
  save_image_data(folder / "wide.npz", wide);
  const auto file = open_array_file(folder / "wide.npz");
  CHECK(file->read("train_images").shape == Shape{2, 4, 5});
  CHECK(file->read("train_labels").type == ElementType::u16);
  CHECK(load_image_data(folder / "wide.npz").train.labels == wide.train.labels);
  CHECK(load_image_data(folder / "wide.npz").classes == 65536);
}

TEST_CASE("dataset: counts, means and duplicates within and across splits") {
  const TempFolder folder;
  // Images of one row and two pixels: A B A | A C | B B D with labels 0 1 0 | 1 0 | 1 0 1.
  const auto images = [](const std::string& letters) {
    Array array = make_array(ElementType::u8, {static_cast<std::int64_t>(letters.size()), 1, 2}, "test");
    for (std::size_t i = 0; i < letters.size(); ++i)
      array.bytes[2 * i] = static_cast<std::uint8_t>(letters[i]);
    return array;
  };
  const DataInfo info = describe(load(folder, {{"train_images", images("ABA")},
                                               {"train_labels", labels({0, 1, 0})},
                                               {"val_images", images("AC")},
                                               {"val_labels", labels({1, 0})},
                                               {"test_images", images("BBD")},
                                               {"test_labels", labels({1, 0, 1})}}));
  CHECK(info.splits[0].class_counts == std::vector<std::int64_t>{2, 1});
  CHECK(info.splits[2].class_counts == std::vector<std::int64_t>{1, 2});
  REQUIRE(info.splits[0].mean.size() == 1);
  CHECK(info.splits[0].mean[0] == doctest::Approx(('A' + 'B' + 'A') / 6.0 / 255.0));
  CHECK(info.splits[0].repeated == 1);
  CHECK(info.splits[1].repeated == 0);
  CHECK(info.splits[2].repeated == 1);
  const auto shared = [&](int i, const char* earlier, const char* later, std::int64_t count,
                          std::int64_t other) {
    CHECK(info.shared[i].earlier == earlier);
    CHECK(info.shared[i].later == later);
    CHECK(info.shared[i].count == count);
    CHECK(info.shared[i].other_label == other);
  };
  shared(0, "train", "val", 1, 1);
  shared(1, "train", "test", 2, 1);
  shared(2, "val", "test", 0, 0);
}

TEST_CASE("dataset: several labels an image, each 0 or 1, to both formats and back") {
  const TempFolder folder;
  const Arrays whole{{"train_images", bytes({3, 4, 5})},
                     {"train_labels", labels<std::uint8_t>({0, 1, 0, 1, 0, 0, 1, 1, 0}, {3, 3})},
                     {"test_images", bytes({2, 4, 5})},
                     {"test_labels", labels<std::uint8_t>({0, 1, 0, 0, 1, 1}, {2, 3})}};
  const ImageData data = load(folder, whole);
  CHECK(data.multi_label());
  CHECK(data.classes == 3);
  CHECK(data.train.label_columns == 3);
  CHECK(data.train.labels == std::vector<std::int32_t>{0, 1, 0, 1, 0, 0, 1, 1, 0});
  CHECK(data.train.labels_of(2)[1] == 1);
  save_image_data(folder / "b.h5", data);
  save_image_data(folder / "c.npz", load_image_data(folder / "b.h5"));
  CHECK(get_file(folder / "c.npz") == get_file(folder / "a.npz"));

  const DataInfo info = describe(data);
  CHECK(info.splits[0].class_counts == std::vector<std::int64_t>{2, 2, 0});
  CHECK(info.splits[2].class_counts == std::vector<std::int64_t>{0, 2, 1});
  // Both test images are in train: the first with the same labels, the second with others.
  CHECK(info.shared[1].count == 2);
  CHECK(info.shared[1].other_label == 1);
  CHECK_FAILS(ErrorKind::bad_data, "a.npz: train_labels: no image has label 2, expected at least one",
              require_every_class(data));

  Arrays other = whole;
  other["train_labels"] = labels<std::uint8_t>({0, 1, 0, 1, 0, 0, 1, 1, 1}, {3, 3});
  CHECK(training_digest(load(folder, other)) != training_digest(data));
  require_every_class(load(folder, other));
  other["train_labels"] = labels({0, 1, 0});
  CHECK_FAILS(ErrorKind::bad_data, "test_labels has 3 labels an image, expected 1 as in train_labels",
              load(folder, other));
}

TEST_CASE("dataset: the slices of a volume are channels, and volumes again when they are written") {
  const TempFolder folder;
  const Array volumes = bytes({2, 7, 4, 5});
  const ImageData data = load(folder, {{"train_images", volumes}, {"train_labels", labels({0, 1})}});
  CHECK(data.channels == 7);
  CHECK(data.height == 4);
  CHECK(data.width == 5);
  const auto voxel = [&](std::size_t image, std::size_t slice, std::size_t row, std::size_t column) {
    return volumes.bytes[((image * 7 + slice) * 4 + row) * 5 + column];
  };
  CHECK(data.train.pixels[((0 * 4 + 0) * 5 + 0) * 7 + 3] == voxel(0, 3, 0, 0));
  CHECK(data.train.pixels[((1 * 4 + 2) * 5 + 4) * 7 + 6] == voxel(1, 6, 2, 4));
  save_image_data(folder / "b.h5", data);
  save_image_data(folder / "c.npz", load_image_data(folder / "b.h5"));
  CHECK(get_file(folder / "c.npz") == get_file(folder / "a.npz"));
}

TEST_CASE("dataset: means of colour images are by channel, an absent split has none") {
  const TempFolder folder;
  const DataInfo info =
      describe(load(folder, {{"test_images", bytes({1, 1, 2, 3})}, {"test_labels", labels({1})}}));
  REQUIRE(info.splits[2].mean.size() == 3);
  CHECK(info.splits[2].mean[2] == doctest::Approx((2 + 5) / 2.0 / 255.0));
  CHECK(info.splits[0].mean.empty());
  CHECK(info.splits[0].class_counts == std::vector<std::int64_t>{0, 0});
}

}  // namespace
}  // namespace inocula
