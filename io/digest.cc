// XXH3-128 through the xxHash library.
#include "io/digest.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
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

struct Xxh3Digest::State {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> xxh3{XXH3_createState(), XXH3_freeState};
};

Xxh3Digest::Xxh3Digest() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(state_->xxh3.get());
}

Xxh3Digest::~Xxh3Digest() = default;

void Xxh3Digest::add(const void* data, std::size_t bytes) {
  XXH3_128bits_update(state_->xxh3.get(), data, bytes);
}

std::string Xxh3Digest::hex() const {
  return to_hex(XXH3_128bits_digest(state_->xxh3.get()));
}

std::string xxh3_128_of_file(const std::string& path) {
  const InputFile file(path);
  Xxh3Digest digest;
  std::vector<char> buffer(std::min<std::uint64_t>(file.size(), 1 << 20));
  for (std::uint64_t at = 0; at < file.size();) {
    const std::uint64_t bytes = std::min<std::uint64_t>(buffer.size(), file.size() - at);
    file.read_at(at, buffer.data(), bytes);
    digest.add(buffer.data(), bytes);
    at += bytes;
  }
  return digest.hex();
}

}  // namespace inocula
