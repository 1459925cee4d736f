// XXH3-128 checksums, for telling whether a file is still what was written. No protection against forgery.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace inocula {

/// 32 hexadecimal digits.
std::string xxh3_128(std::string_view bytes);

/// Of bytes that come in parts: the same digest however they are cut.
class Xxh3Digest {
 public:
  Xxh3Digest();
  ~Xxh3Digest();
  Xxh3Digest(const Xxh3Digest&) = delete;
  Xxh3Digest& operator=(const Xxh3Digest&) = delete;

  void add(const void* data, std::size_t bytes);
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Of a file's content. Errors: as InputFile.
std::string xxh3_128_of_file(const std::string& path);

}  // namespace inocula
