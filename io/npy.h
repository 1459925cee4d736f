// NumPy's .npy format: an array behind a small text header, read as data and never evaluated.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "io/array.h"

namespace inocula {

/// Delivers exactly the next `bytes` bytes of a stream or throws.
using ReadNext = std::function<void(void* out, std::uint64_t bytes)>;

/// Reads an .npy of format version 1.0 to 3.0 that is `total_bytes` long. Booleans, integers and f2, f4, f8;
/// big-endian values and Fortran order are brought to this machine's order and C order. `where` opens the
/// error text. Errors: bad_data for anything malformed, for object arrays (they are pickled programs) and
/// when the shape does not account for total_bytes; no memory is taken before that is known. Format:
/// numpy.org, numpy.lib.format.
Array read_npy(const ReadNext& read, std::uint64_t total_bytes, const std::string& where);

/// The header, version 1.0, that goes before the view's bytes to make an .npy file. Errors: internal for
/// bf16, which NumPy has not.
std::string npy_header(const ArrayView& view);

}  // namespace inocula
