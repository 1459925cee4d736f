// HDF5: the layouts that are read, everything else refused, and the process's own settings left alone.
#include "io/hdf5.h"

#include <hdf5.h>

#include "tests/io/files.h"

namespace inocula {
namespace {

/// One file under construction by HDF5 itself.
class Maker {
 public:
  explicit Maker(const std::string& path)
      : file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {
    REQUIRE(file >= 0);
  }
  ~Maker() { H5Fclose(file); }

  /// A data set of `type` with this creation plan, filled with 0, 1, 2, … where `fill` is asked for.
  void add(const char* name, hid_t type, const std::vector<hsize_t>& extents, hid_t plan = H5P_DEFAULT,
           bool fill = true) {
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
    const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    REQUIRE(dataset >= 0);
    if (fill) {
      std::vector<int> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(i);
      REQUIRE(H5Dwrite(dataset, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    }
    H5Dclose(dataset);
    H5Sclose(space);
  }

  const hid_t file;
};

class Plan {
 public:
  explicit Plan(const std::vector<hsize_t>& chunk = {}) : id(H5Pcreate(H5P_DATASET_CREATE)) {
    if (!chunk.empty()) H5Pset_chunk(id, static_cast<int>(chunk.size()), chunk.data());
  }
  ~Plan() { H5Pclose(id); }
  const hid_t id;
};

TEST_CASE("hdf5: contiguous, compact, chunked and compressed data sets are read, in either byte order") {
  const TempFolder folder;
  {
    Maker make(folder / "a.h5");
    const Plan compact, chunked({3, 4}), filtered({2, 4});
    H5Pset_layout(compact.id, H5D_COMPACT);
    H5Pset_shuffle(filtered.id);
    H5Pset_deflate(filtered.id, 6);
    H5Pset_fletcher32(filtered.id);
    make.add("contiguous", H5T_STD_I32LE, {5, 8});
    make.add("big", H5T_STD_I32BE, {5, 8});
    make.add("compact", H5T_STD_I32LE, {5, 8}, compact.id);
    make.add("chunked", H5T_STD_I32LE, {5, 8}, chunked.id);
    make.add("filtered", H5T_STD_I32BE, {5, 8}, filtered.id);
    make.add("bytes", H5T_STD_U8LE, {5});
    make.add("doubles", H5T_IEEE_F64BE, {5});
    make.add("unwritten", H5T_STD_I32LE, {5, 8}, H5P_DEFAULT, false);
  }
  const auto file = open_hdf5(folder / "a.h5");
  CHECK(file->names().size() == 8);
  for (const char* name : {"contiguous", "big", "compact", "chunked", "filtered"}) {
    const Array array = file->read(name);
    CHECK(array.shape == std::vector<std::int64_t>{5, 8});
    const auto values = values_of<std::int32_t>(array, name);
    for (std::size_t i = 0; i < 40; ++i) CHECK(values[i] == static_cast<int>(i));
  }
  CHECK(file->read("bytes").bytes == std::vector<std::uint8_t>{0, 1, 2, 3, 4});
  CHECK(values_of<double>(file->read("doubles"), "doubles")[4] == 4.0);
  CHECK(file->read("unwritten").bytes == std::vector<std::uint8_t>(160, 0));
  CHECK_FAILS(ErrorKind::bad_data, "has no array 'more'", file->read("more"));
}

TEST_CASE("hdf5: what reaches outside the file or beyond plain arrays is refused") {
  const TempFolder folder;
  {
    Maker make(folder / "other.h5");
    make.add("x", H5T_STD_U8LE, {4});
  }
  put_file(folder / "raw", "abcd");
  {
    Maker make(folder / "a.h5");
    H5Lcreate_external("other.h5", "x", make.file, "external", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("plain", make.file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    make.add("plain", H5T_STD_U8LE, {4});
    const Plan raw, scale({4}), virtual_plan;
    H5Pset_external(raw.id, (folder / "raw").c_str(), 0, 4);
    make.add("raw", H5T_STD_U8LE, {4}, raw.id, false);
    H5Pset_scaleoffset(scale.id, H5Z_SO_INT, 0);
    make.add("scale", H5T_STD_I32LE, {4}, scale.id);
    const hsize_t four = 4;
    const hid_t space = H5Screate_simple(1, &four, nullptr);
    H5Pset_virtual(virtual_plan.id, space, "other.h5", "x", space);
    make.add("virtual", H5T_STD_U8LE, {4}, virtual_plan.id, false);
    const hid_t null_space = H5Screate(H5S_NULL);
    H5Dclose(H5Dcreate2(make.file, "null", H5T_STD_U8LE, null_space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(null_space);
    H5Sclose(space);
    H5Gclose(H5Gcreate2(make.file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 8);
    make.add("text", text, {4}, H5P_DEFAULT, false);
    H5Tclose(text);
    const hid_t odd = H5Tcopy(H5T_STD_I32LE);
    H5Tset_precision(odd, 17);
    make.add("odd", odd, {4}, H5P_DEFAULT, false);
    H5Tclose(odd);
    make.add("axes", H5T_STD_U8LE, std::vector<hsize_t>(9, 1));
    make.add("ratio", H5T_STD_U8LE, {100, 1000, 1000}, Plan({1, 10, 10}).id, false);
    make.add("limit", H5T_STD_U8LE, {hsize_t{1} << 40}, Plan({16}).id, false);
    const hsize_t most[] = {H5S_UNLIMITED};
    const hsize_t one = 1;
    const hid_t growing = H5Screate_simple(1, &one, most);
    const Plan large({1 << 30});
    H5Dclose(H5Dcreate2(make.file, "chunk", H5T_STD_U8LE, growing, H5P_DEFAULT, large.id, H5P_DEFAULT));
    H5Sclose(growing);
  }
  const auto file = open_hdf5(folder / "a.h5");
  const auto refused = [&](const char* name, const std::string& part) {
    CHECK_FAILS(ErrorKind::bad_data, part, file->read(name));
    CHECK_FAILS(ErrorKind::bad_data, std::string("a.h5: ") + name, file->read(name));
  };
  CHECK(file->read("plain").bytes.size() == 4);
  refused("external", "link to elsewhere");
  refused("soft", "link to elsewhere");
  refused("raw", "keeps its data in another file");
  refused("scale", "has filter 6");
  refused("virtual", "neither contiguous, chunked nor compact");
  refused("null", "no shape");
  refused("group", "is a group");
  refused("text", "element type");
  refused("odd", "element type");
  refused("axes", "at most 8 axes");
  refused("ratio", "more than 1100 times the file's");
  refused("limit", "larger than the limit");
  refused("chunk", "out of proportion");
}

TEST_CASE("hdf5: what is written is read back, in the same bytes each time") {
  const TempFolder folder;
  Arrays arrays;
  arrays["floats"] = {ElementType::f32, {2, 3}, std::vector<std::uint8_t>(24, 7)};
  arrays["images"] = make_array(ElementType::u8, {3000, 28, 28}, "test");
  for (std::size_t i = 0; i < arrays["images"].bytes.size(); ++i)
    arrays["images"].bytes[i] = static_cast<std::uint8_t>(i * i >> 3);
  arrays["none"] = {ElementType::i64, {0, 4}, {}};
  arrays["scalar"] = {ElementType::f64, {}, std::vector<std::uint8_t>(8, 1)};
  write_hdf5(folder / "a.h5", views_of(arrays));
  write_hdf5(folder / "b.h5", views_of(arrays));
  CHECK(get_file(folder / "a.h5") == get_file(folder / "b.h5"));
  CHECK(folder.names() == std::vector<std::string>{"a.h5", "b.h5"});
  const auto file = open_hdf5(folder / "a.h5");
  for (const auto& [name, array] : arrays) {
    const Array back = file->read(name);
    CHECK(back.type == array.type);
    CHECK(back.shape == array.shape);
    CHECK(back.bytes == array.bytes);
  }
}

TEST_CASE("hdf5: found behind a block of the user's own") {
  const TempFolder folder;
  const std::vector<std::uint8_t> values{1, 2, 3};
  for (const hsize_t block : {512, 1024, 4096}) {
    const hid_t plan = H5Pcreate(H5P_FILE_CREATE);
    REQUIRE(H5Pset_userblock(plan, block) >= 0);
    const hid_t made = H5Fcreate((folder / "a.mat").c_str(), H5F_ACC_TRUNC, plan, H5P_DEFAULT);
    REQUIRE(made >= 0);
    const hsize_t three = 3;
    const hid_t space = H5Screate_simple(1, &three, nullptr);
    const hid_t dataset = H5Dcreate2(made, "x", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(made);
    H5Pclose(plan);
    std::string text = get_file(folder / "a.mat");
    text.replace(0, 6, "MATLAB");
    put_file(folder / "a.mat", text);
    CHECK(open_array_file(folder / "a.mat")->read("x").bytes == values);
    put_file(folder / "cut.mat", text.substr(0, block + 4));
    CHECK_FAILS(ErrorKind::bad_data, "neither an .npz nor an HDF5 file", open_array_file(folder / "cut.mat"));
  }
}

TEST_CASE("hdf5: cut short anywhere it fails") {
  const TempFolder folder;
  const std::vector<std::uint8_t> values{1, 2, 3};
  write_hdf5(folder / "whole.h5", {{"x", view_of(values, {3})}});
  const std::string whole = get_file(folder / "whole.h5");
  CHECK(whole.size() < 20000);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put_file(folder / "cut.h5", whole.substr(0, size));
    CHECK_FAILS(ErrorKind::bad_data, "cut.h5", open_array_file(folder / "cut.h5")->read("x"));
  }
}

TEST_CASE("hdf5: a full disk is an error and leaves nothing") {
  const TempFolder folder;
  const std::vector<std::uint8_t> values(10, 1);
  const FullDisk full(1000);
  CHECK_FAILS(ErrorKind::io, "a.h5: writing failed",
              write_hdf5(folder / "a.h5", {{"x", view_of(values, {10})}}));
  CHECK(folder.names().empty());
}

TEST_CASE("hdf5: the process's error printing and plugins are as before, whether a call succeeds or fails") {
  const TempFolder folder;
  const auto print = [](hid_t, void*) -> herr_t { return 0; };
  int data = 0;
  H5E_auto2_t before = nullptr;
  void* before_data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &before_data);
  H5Eset_auto2(H5E_DEFAULT, print, &data);
  unsigned plugins_before = 0;
  H5PLget_loading_state(&plugins_before);

  put_file(folder / "bad.h5", std::string("\x89HDF\r\n\x1a\n and no more", 20));
  CHECK_FAILS(ErrorKind::bad_data, "bad.h5: is not a whole HDF5 file", open_hdf5(folder / "bad.h5"));
  const std::vector<std::uint8_t> values{1, 2, 3};
  write_hdf5(folder / "a.h5", {{"x", view_of(values, {3})}});
  CHECK(open_hdf5(folder / "a.h5")->read("x").bytes == values);

  H5E_auto2_t after = nullptr;
  void* after_data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &after, &after_data);
  const bool same_printer = after == static_cast<H5E_auto2_t>(print);
  CHECK(same_printer);
  CHECK(after_data == &data);
  unsigned plugins_after = 0;
  H5PLget_loading_state(&plugins_after);
  CHECK(plugins_after == plugins_before);
  H5Eset_auto2(H5E_DEFAULT, before, before_data);
}

}  // namespace
}  // namespace inocula
