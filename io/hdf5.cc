// Guarded reading and deterministic writing of HDF5 through its C interface.
#include "io/hdf5.h"

#include <hdf5.h>

#include <algorithm>

#include "io/atomic_file.h"
#include "io/input_file.h"

namespace inocula {
namespace {

constexpr hsize_t kMaxLinks = 4096;
constexpr std::uint64_t kMaxRatio = 1100;  // deflate ends near 1032
constexpr std::uint64_t kChunkBytes = 1 << 20;
constexpr unsigned kDeflateLevel = 4;

/// Silences HDF5's printing and its loading of plugins for one call of ours, and restores both afterwards.
class QuietHdf5 {
 public:
  QuietHdf5() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    H5PLget_loading_state(&plugins_);
    H5PLset_loading_state(0);
  }
  ~QuietHdf5() {
    H5Eclear2(H5E_DEFAULT);
    H5PLset_loading_state(plugins_);
    H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
  }
  QuietHdf5(const QuietHdf5&) = delete;
  QuietHdf5& operator=(const QuietHdf5&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
};

/// Owns one HDF5 identifier; a failed call's negative one is kept and owns nothing.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  bool valid() const { return id_ >= 0; }
  operator hid_t() const { return id_; }  // NOLINT: it stands for the identifier in every call

 private:
  hid_t id_;
  Close close_;
};

/// HDF5's own words for the innermost failure.
std::string hdf5_reason() {
  std::string text = "HDF5 gives no reason";
  const auto keep_first = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
    return 1;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

hid_t native_type(ElementType type) {
  constexpr hid_t kNone = -1;
  const hid_t types[] = {kNone,
                         H5T_NATIVE_UINT8,
                         H5T_NATIVE_INT8,
                         H5T_NATIVE_UINT16,
                         H5T_NATIVE_INT16,
                         H5T_NATIVE_UINT32,
                         H5T_NATIVE_INT32,
                         H5T_NATIVE_UINT64,
                         H5T_NATIVE_INT64,
                         kNone,
                         kNone,
                         H5T_NATIVE_FLOAT,
                         H5T_NATIVE_DOUBLE};
  const hid_t native = types[static_cast<int>(type)];
  if (native == kNone) fail(ErrorKind::internal, "HDF5 files here hold no ", element_name(type));
  return native;
}

constexpr ElementType kTypes[] = {ElementType::u8,  ElementType::i8,  ElementType::u16, ElementType::i16,
                                  ElementType::u32, ElementType::i32, ElementType::u64, ElementType::i64,
                                  ElementType::f32, ElementType::f64};

class Hdf5File final : public ArrayFile {
 public:
  explicit Hdf5File(const std::string& path) : path_(path), bytes_(InputFile(path).size()) {
    const QuietHdf5 quiet;
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    // Read-only data sets often lie on file systems without locks.
    H5Pset_file_locking(access, 0, 1);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
    if (file_ < 0) fail(ErrorKind::bad_data, path, ": is not a whole HDF5 file: ", hdf5_reason());
    try {
      list_links();
    } catch (...) {
      H5Fclose(file_);
      throw;
    }
  }

  ~Hdf5File() override {
    const QuietHdf5 quiet;
    H5Fclose(file_);
  }

  const std::vector<std::string>& names() const override { return names_; }

  Array read(const std::string& name) override {
    const QuietHdf5 quiet;
    const std::string where = path_ + ": " + name;
    if (!contains(name)) fail(ErrorKind::bad_data, path_, ": has no array '", name, "'");
    H5L_info_t link;
    if (H5Lget_info(file_, name.c_str(), &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) {
      fail(ErrorKind::bad_data, where, ": is a link to elsewhere, expected a data set of this file");
    }
    const Handle object(H5Oopen(file_, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (!object.valid()) fail(ErrorKind::bad_data, where, ": cannot be opened: ", hdf5_reason());
    if (H5Iget_type(object) != H5I_DATASET)
      fail(ErrorKind::bad_data, where, ": is a group, expected a data set");
    std::vector<std::int64_t> shape = checked_shape(object, where);
    const ElementType type = checked_type(object, where);
    check_storage(object, shape, array_bytes(type, shape, where), where);
    Array array = make_array(type, std::move(shape), where);
    if (!array.bytes.empty() &&
        H5Dread(object, native_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, array.bytes.data()) < 0) {
      fail(ErrorKind::bad_data, where, ": cannot be read: ", hdf5_reason());
    }
    return array;
  }

 private:
  void list_links() {
    H5G_info_t group;
    if (H5Gget_info(file_, &group) < 0)
      fail(ErrorKind::bad_data, path_, ": has no root group: ", hdf5_reason());
    if (group.nlinks > kMaxLinks) {
      fail(ErrorKind::bad_data, path_, ": has ", group.nlinks, " links, expected at most ", kMaxLinks);
    }
    const auto keep_name = [](hid_t, const char* name, const H5L_info_t*, void* names) -> herr_t {
      static_cast<std::vector<std::string>*>(names)->emplace_back(name);
      return 0;
    };
    if (H5Literate(file_, H5_INDEX_NAME, H5_ITER_INC, nullptr, keep_name, &names_) < 0) {
      fail(ErrorKind::bad_data, path_, ": its root group cannot be listed: ", hdf5_reason());
    }
  }

  std::vector<std::int64_t> checked_shape(hid_t dataset, const std::string& where) const {
    const Handle space(H5Dget_space(dataset), H5Sclose);
    const H5S_class_t kind = space.valid() ? H5Sget_simple_extent_type(space) : H5S_NO_CLASS;
    const int rank = kind == H5S_SIMPLE || kind == H5S_SCALAR ? H5Sget_simple_extent_ndims(space) : -1;
    if (rank < 0 || rank > static_cast<int>(kMaxRank)) {
      fail(ErrorKind::bad_data, where, ": has no shape of at most ", kMaxRank, " axes");
    }
    hsize_t extents[H5S_MAX_RANK] = {};
    H5Sget_simple_extent_dims(space, extents, nullptr);
    return {extents, extents + rank};
  }

  ElementType checked_type(hid_t dataset, const std::string& where) const {
    const Handle type(H5Dget_type(dataset), H5Tclose);
    for (const ElementType candidate : kTypes) {
      const Handle little(H5Tcopy(native_type(candidate)), H5Tclose);
      const Handle big(H5Tcopy(little), H5Tclose);
      H5Tset_order(big, H5T_ORDER_BE);
      if (H5Tequal(type, little) > 0 || H5Tequal(type, big) > 0) return candidate;
    }
    fail(ErrorKind::bad_data, where, ": its element type is none of u8 to u64, i8 to i64, f32, f64");
  }

  void check_storage(hid_t dataset, const std::vector<std::int64_t>& shape, std::uint64_t logical,
                     const std::string& where) const {
    const Handle plan(H5Dget_create_plist(dataset), H5Pclose);
    if (!plan.valid()) fail(ErrorKind::bad_data, where, ": its storage is not described: ", hdf5_reason());
    if (H5Pget_external_count(plan) != 0)
      fail(ErrorKind::bad_data, where, ": keeps its data in another file");
    const int filters = H5Pget_nfilters(plan);
    for (int i = 0; i < filters; ++i) {
      unsigned flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter =
          H5Pget_filter2(plan, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
      if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) {
        fail(ErrorKind::bad_data, where, ": has filter ", filter,
             ", expected deflate, shuffle or fletcher32");
      }
    }
    const H5D_layout_t layout = H5Pget_layout(plan);
    if (filters < 0 || (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)) {
      fail(ErrorKind::bad_data, where, ": is laid out neither contiguous, chunked nor compact");
    }
    const hsize_t stored = H5Dget_storage_size(dataset);
    if (layout != H5D_CHUNKED && stored != logical && stored != 0) {
      fail(ErrorKind::bad_data, where, ": stores ", stored, " bytes, expected ", logical);
    }
    if (layout == H5D_CHUNKED) check_chunk(plan, shape, where);
    if (logical / kMaxRatio > bytes_) {
      fail(ErrorKind::bad_data, where, ": claims ", logical, " bytes, more than ", kMaxRatio,
           " times the file's ", bytes_);
    }
  }

  void check_chunk(hid_t plan, const std::vector<std::int64_t>& shape, const std::string& where) const {
    hsize_t chunk[H5S_MAX_RANK] = {};
    const int rank = H5Pget_chunk(plan, H5S_MAX_RANK, chunk);
    if (rank != static_cast<int>(shape.size())) {
      fail(ErrorKind::bad_data, where, ": its chunks have ", rank, " axes, expected ", shape.size());
    }
    std::uint64_t bytes = 8;
    for (int axis = 0; axis < rank; ++axis) {
      if (chunk[axis] == 0 || __builtin_mul_overflow(bytes, chunk[axis], &bytes) ||
          bytes / kMaxRatio / 8 > bytes_) {
        fail(ErrorKind::bad_data, where, ": its chunks are empty or out of proportion to the file");
      }
    }
  }

  std::string path_;
  std::uint64_t bytes_;
  hid_t file_ = -1;
  std::vector<std::string> names_;
};

/// Chunks run over the first axis, about kChunkBytes each.
void set_chunks(hid_t plan, const std::vector<hsize_t>& extents, const ArrayView& view) {
  std::vector<hsize_t> chunk = extents;
  const std::uint64_t row_bytes = view.bytes.size() / extents[0];
  chunk[0] = std::clamp<hsize_t>(kChunkBytes / row_bytes, 1, extents[0]);
  H5Pset_chunk(plan, static_cast<int>(chunk.size()), chunk.data());
  if (element_bytes(view.type) > 1) H5Pset_shuffle(plan);
  H5Pset_deflate(plan, kDeflateLevel);
}

void write_dataset(hid_t file, const std::string& name, const ArrayView& view, const std::string& path) {
  const std::vector<hsize_t> extents(view.shape.begin(), view.shape.end());
  const Handle space(extents.empty()
                         ? H5Screate(H5S_SCALAR)
                         : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                     H5Sclose);
  const Handle plan(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(plan, false);
  if (!extents.empty() && !view.bytes.empty()) set_chunks(plan, extents, view);
  const Handle dataset(
      H5Dcreate2(file, name.c_str(), native_type(view.type), space, H5P_DEFAULT, plan, H5P_DEFAULT),
      H5Dclose);
  const bool written =
      dataset.valid() && (view.bytes.empty() || H5Dwrite(dataset, native_type(view.type), H5S_ALL, H5S_ALL,
                                                         H5P_DEFAULT, view.bytes.data()) >= 0);
  if (!written) fail(ErrorKind::io, path, ": ", name, " cannot be written as HDF5: ", hdf5_reason());
}

}  // namespace

std::unique_ptr<ArrayFile> open_hdf5(const std::string& path) {
  return std::make_unique<Hdf5File>(path);
}

void write_hdf5(const std::string& path, const ArrayViews& arrays) {
  AtomicFile target(path);
  const QuietHdf5 quiet;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  constexpr std::size_t kGrowth = 64 << 20;
  H5Pset_fapl_core(access, kGrowth, false);
  const Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  if (!file.valid()) fail(ErrorKind::io, path, ": no HDF5 file can be made in memory: ", hdf5_reason());
  for (const auto& [name, view] : arrays) write_dataset(file, name, view, path);
  if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0) {
    fail(ErrorKind::io, path, ": the HDF5 file in memory cannot be finished: ", hdf5_reason());
  }
  void* handle = nullptr;  // of the core driver: the address of its pointer to the file's memory
  const ssize_t bytes = H5Fget_file_image(file, nullptr, 0);
  if (bytes < 0 || H5Fget_vfd_handle(file, access, &handle) < 0) {
    fail(ErrorKind::io, path, ": the HDF5 file in memory cannot be reached: ", hdf5_reason());
  }
  target.write(*static_cast<void**>(handle), static_cast<std::uint64_t>(bytes));
  target.commit();
}

}  // namespace inocula
