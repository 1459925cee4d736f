// HDF5 files as named arrays: the data sets of the root group.
#pragma once

#include <memory>
#include <string>

#include "io/array_file.h"

namespace inocula {

/// Reads contiguous, chunked and compact data sets, plain or through deflate, shuffle and fletcher32.
/// Everything else that HDF5 can do is refused (bad_data): links other than hard ones, data in other files,
/// virtual data sets, other filters, sizes out of proportion to the file. The file is opened read-only, no
/// plugin is loaded, and the process's own HDF5 settings are as before after each call.
std::unique_ptr<ArrayFile> open_hdf5(const std::string& path);

/// Chunked, shuffled and deflated, without dates. The compressed file is built in memory first, so that a
/// full disk is an error of ours and not a file that HDF5 cannot close. Errors: cannot_create and io as
/// AtomicFile.
void write_hdf5(const std::string& path, const ArrayViews& arrays);

}  // namespace inocula
