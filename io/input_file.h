// A regular file opened for reading, with errors that say what is wrong with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace inocula {

/// Owns one read-only file descriptor.
class InputFile {
 public:
  /// Errors: no_input when the file is missing, a folder, not a regular file, or unreadable.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }

  /// Errors: bad_data when the file ends before offset + bytes, io when the system cannot read.
  void read_at(std::uint64_t offset, void* out, std::uint64_t bytes) const;

  /// Hands the descriptor to the caller, who closes it.
  int release();

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// A whole file as text. Errors: as InputFile; bad_data when it is larger than max_bytes.
std::string read_text_file(const std::string& path, std::uint64_t max_bytes);
/// Of a file that need not be there.
std::optional<std::string> read_text_file_if_there(const std::string& path, std::uint64_t max_bytes);

}  // namespace inocula
