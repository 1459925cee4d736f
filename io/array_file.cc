// Chooses the format of a file of named arrays.
#include "io/array_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "io/hdf5.h"
#include "io/input_file.h"
#include "io/npz.h"

namespace inocula {

bool ArrayFile::contains(const std::string& name) const {
  return std::find(names().begin(), names().end(), name) != names().end();
}

std::unique_ptr<ArrayFile> open_array_file(const std::string& path) {
  char start[8] = {};
  const InputFile file(path);
  file.read_at(0, start, std::min<std::uint64_t>(file.size(), sizeof start));
  if (std::memcmp(start, "PK\3\4", 4) == 0) return open_npz(path);
  if (std::memcmp(start, "\x89HDF\r\n\x1a\n", 8) == 0) return open_hdf5(path);
  fail(ErrorKind::bad_data, path, ": is neither an .npz nor an HDF5 file");
}

void write_array_file(const std::string& path, const ArrayViews& arrays) {
  if (arrays.empty()) fail(ErrorKind::internal, path, ": there is no array to write");
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".npz") return write_npz(path, arrays);
  if (extension == ".h5" || extension == ".hdf5") return write_hdf5(path, arrays);
  fail(ErrorKind::usage, path, ": has extension '", extension, "', expected .npz or .h5");
}

}  // namespace inocula
