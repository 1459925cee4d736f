// Pictures inside a page of HTML: PNG as a data URI.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace inocula {

/// Bytes as base64 text (RFC 4648, with padding).
std::string base64(std::span<const std::uint8_t> bytes);

/// "data:image/png;base64,…" of (height, width, channels) bytes. One channel is grey, three are RGB; of any
/// other number the middle one alone is shown, of a volume its middle slice. Throws Error: internal where the
/// sizes do not belong together; io where libspng refuses.
std::string png_data_uri(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width,
                         std::int64_t channels);

}  // namespace inocula
