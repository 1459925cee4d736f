// XXH3-128 checksums, for telling whether a file is still what was written. No protection against forgery.
#pragma once

#include <string>
#include <string_view>

namespace inocula {

/// 32 hexadecimal digits.
std::string xxh3_128(std::string_view bytes);

/// Of a file's content. Errors: as InputFile.
std::string xxh3_128_of_file(const std::string& path);

}  // namespace inocula
