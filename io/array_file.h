// Files of named arrays, whatever their format: .npz and HDF5 behind one face.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/array.h"

namespace inocula {

/// An open file. Only the arrays that are read cost memory and time. Not for use by two threads at once.
class ArrayFile {
 public:
  virtual ~ArrayFile() = default;
  virtual const std::vector<std::string>& names() const = 0;
  bool contains(const std::string& name) const;

  /// Errors: bad_data when there is no such array or its content is not what it claims to be.
  virtual Array read(const std::string& name) = 0;
};

/// Opens by content, not by name. Errors: no_input when the file is missing, a folder or unreadable; bad_data
/// when it is neither .npz nor HDF5, or damaged.
std::unique_ptr<ArrayFile> open_array_file(const std::string& path);

/// The array of an .npy file, or the one of that name in an .npz or HDF5 file. Errors: as open_array_file and
/// ArrayFile::read.
Array read_array(const std::string& path, const std::string& name);

/// That write_array_file could begin here. Errors: usage for another extension; cannot_create as AtomicFile.
void require_array_file(const std::string& path);

/// Writes all arrays at once or nothing, the same bytes for the same arrays; the extension (.npz, .h5 or
/// .hdf5) chooses the format. Errors: usage for another extension; cannot_create and io as AtomicFile.
void write_array_file(const std::string& path, const ArrayViews& arrays);

}  // namespace inocula
