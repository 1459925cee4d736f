// Published files in MedMNIST's layout, where the folder in INOCULA_TEST_DATA has them.
#include <cstdlib>
#include <filesystem>

#include "io/dataset.h"
#include "tests/io/files.h"

namespace inocula {
namespace {

/// The path of a file of the test data, or empty after saying why the test is skipped.
std::string test_data(const std::string& name) {
  const char* folder = std::getenv("INOCULA_TEST_DATA");
  if (folder == nullptr) {
    MESSAGE("skipped: INOCULA_TEST_DATA is not set");
    return "";
  }
  const std::string path = std::string(folder) + "/" + name;
  if (std::filesystem::exists(path)) return path;
  MESSAGE("skipped: INOCULA_TEST_DATA has no ", name);
  return "";
}

TEST_CASE("real data: chest radiographs") {
  const std::string path = test_data("pneumoniamnist.npz");
  if (path.empty()) return;
  const ImageData data = load_image_data(path);
  CHECK(data.train.count == 4708);
  CHECK(data.val.count == 524);
  CHECK(data.test.count == 624);
  CHECK(data.channels == 1);
  CHECK(data.height == 28);
  CHECK(data.classes == 2);
  const DataInfo info = describe(data);
  CHECK(info.splits[0].class_counts == std::vector<std::int64_t>{1214, 3494});
  CHECK(info.splits[2].class_counts == std::vector<std::int64_t>{234, 390});
  CHECK(info.splits[0].mean[0] == doctest::Approx(0.5719).epsilon(0.001));  // as MedMNIST publishes it
}

TEST_CASE("real data: blood cells, through HDF5 and back") {
  const std::string path = test_data("bccd_cells_64.npz");
  if (path.empty()) return;
  const ImageData data = load_image_data(path);
  CHECK(data.train.count == 1313);
  CHECK(data.channels == 3);
  CHECK(data.classes == 3);
  const TempFolder folder;
  save_image_data(folder / "a.h5", data);
  const ImageData back = load_image_data(folder / "a.h5");
  CHECK(back.train.pixels == data.train.pixels);
  CHECK(back.test.labels == data.test.labels);
}

TEST_CASE("real data: a set with masks and no labels is refused") {
  const std::string path = test_data("em_membrane_128.npz");
  if (path.empty()) return;
  CHECK_FAILS(ErrorKind::bad_data, "has no array 'train_labels'", load_image_data(path));
}

}  // namespace
}  // namespace inocula
