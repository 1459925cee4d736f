// The safetensors format: named arrays behind a JSON header, nothing in it is ever executed.
#pragma once

#include <map>
#include <string>

#include "io/array.h"

namespace inocula {

struct Safetensors {
  Arrays tensors;
  std::map<std::string, std::string> metadata;  ///< the header's __metadata__
};

/// Reads and checks a whole file: a header of at most 8 MiB and 65,536 tensors, no name twice, sizes that
/// follow from type and shape, offsets that cover the rest of the file without gap or overlap. Values may be
/// NaN: see find_non_finite. Errors: no_input as InputFile; bad_data naming the tensor. Format:
/// github.com/huggingface/safetensors.
Safetensors read_safetensors(const std::string& path);

/// The same bytes for the same tensors: ordered by element size, the largest first, then by name; values
/// begin at a multiple of 8. Errors: cannot_create and io as AtomicFile.
void write_safetensors(const std::string& path, const ArrayViews& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace inocula
