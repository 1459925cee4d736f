// NumPy's .npz container: a zip archive of .npy arrays.
#pragma once

#include <memory>
#include <string>

#include "io/array_file.h"

namespace inocula {

/// Accepts stored and deflated members. The archive is refused (bad_data) when a member is encrypted or named
/// twice, when there are more than 64, when one claims to inflate more than 1100 times (deflate ends near
/// 1032) or when together they claim more compressed bytes than the file has, which overlapping members
/// would. read() verifies the CRC-32. Member names are keys, never paths.
std::unique_ptr<ArrayFile> open_npz(const std::string& path);

/// Deflated, with fixed dates. Errors: cannot_create and io as AtomicFile.
void write_npz(const std::string& path, const ArrayViews& arrays);

}  // namespace inocula
