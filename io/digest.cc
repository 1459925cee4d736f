// XXH3-128 through the xxHash library.
#include "io/digest.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "io/input_file.h"

namespace inocula {
namespace {

std::string to_hex(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;  // big-endian, so that the text reads as the number
  XXH128_canonicalFromHash(&canonical, hash);
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace

std::string xxh3_128(std::string_view bytes) {
  return to_hex(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string xxh3_128_of_file(const std::string& path) {
  const InputFile file(path);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<char> buffer(std::min<std::uint64_t>(file.size(), 1 << 20));
  for (std::uint64_t at = 0; at < file.size();) {
    const std::uint64_t bytes = std::min<std::uint64_t>(buffer.size(), file.size() - at);
    file.read_at(at, buffer.data(), bytes);
    XXH3_128bits_update(state.get(), buffer.data(), bytes);
    at += bytes;
  }
  return to_hex(XXH3_128bits_digest(state.get()));
}

}  // namespace inocula
