// Chooses the format of a file of named arrays.
#include "io/array_file.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "io/atomic_file.h"
#include "io/hdf5.h"
#include "io/input_file.h"
#include "io/npy.h"
#include "io/npz.h"

namespace inocula {
namespace {

bool begins_with(const InputFile& file, std::uint64_t offset, std::string_view signature) {
  std::string start(signature.size(), '\0');
  if (file.size() < start.size() || offset > file.size() - start.size()) return false;
  file.read_at(offset, start.data(), start.size());
  return start == signature;
}

using Writer = void (*)(const std::string& path, const ArrayViews& arrays);

Writer writer_for(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".npz") return write_npz;
  if (extension == ".h5" || extension == ".hdf5") return write_hdf5;
  fail(ErrorKind::usage, path, ": has extension '", extension, "', expected .npz or .h5");
}

}  // namespace

bool ArrayFile::contains(const std::string& name) const {
  return std::find(names().begin(), names().end(), name) != names().end();
}

std::unique_ptr<ArrayFile> open_array_file(const std::string& path) {
  const InputFile file(path);
  if (begins_with(file, 0, "PK\3\4")) return open_npz(path);
  // Behind a block of the user's own, as MATLAB writes one, HDF5 begins at a power of two from 512 up.
  for (std::uint64_t at = 0; at < file.size(); at = std::max<std::uint64_t>(2 * at, 512))
    if (begins_with(file, at, "\x89HDF\r\n\x1a\n")) return open_hdf5(path);
  fail(ErrorKind::bad_data, path, ": is neither an .npz nor an HDF5 file");
}

Array read_array(const std::string& path, const std::string& name) {
  const InputFile file(path);
  if (!begins_with(file, 0, "\x93NUMPY")) return open_array_file(path)->read(name);
  std::uint64_t at = 0;
  const auto next = [&](void* out, std::uint64_t bytes) {
    file.read_at(at, out, bytes);
    at += bytes;
  };
  return read_npy(next, file.size(), path);
}

void require_array_file(const std::string& path) {
  writer_for(path);
  require_creatable(path);
}

void write_array_file(const std::string& path, const ArrayViews& arrays) {
  if (arrays.empty()) fail(ErrorKind::internal, path, ": there is no array to write");
  writer_for(path)(path, arrays);
}

}  // namespace inocula
