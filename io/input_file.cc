// Opening and reading regular files.
#include "io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace inocula {

InputFile::InputFile(const std::string& path) : path_(path) {
  // Not blocking: opening a named pipe must not wait for a writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status = {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
    const std::string reason = std::generic_category().message(errno);
    if (descriptor_ >= 0) ::close(descriptor_);
    fail(ErrorKind::no_input, path, ": cannot be opened: ", reason);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail(ErrorKind::no_input, path, ": is ", S_ISDIR(status.st_mode) ? "a folder" : "not a regular file",
         ", expected a file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int InputFile::release() {
  return std::exchange(descriptor_, -1);
}

void InputFile::read_at(std::uint64_t offset, void* out, std::uint64_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) {
    fail(ErrorKind::bad_data, path_, ": ends at byte ", size_, ", expected ", bytes, " bytes at offset ",
         offset);
  }
  auto* to = static_cast<std::uint8_t*>(out);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      fail(ErrorKind::io, path_, ": reading failed at offset ", offset, ": ",
           std::generic_category().message(errno));
    }
    if (got == 0)
      fail(ErrorKind::bad_data, path_, ": ends at byte ", offset, ", was ", size_, " bytes when opened");
    to += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::uint64_t>(got);
  }
}

std::string read_text_file(const std::string& path, std::uint64_t max_bytes) {
  const InputFile file(path);
  if (file.size() > max_bytes) {
    fail(ErrorKind::bad_data, path, ": is ", file.size(), " bytes long, expected at most ", max_bytes);
  }
  std::string text(file.size(), '\0');
  file.read_at(0, text.data(), text.size());
  return text;
}

std::optional<std::string> read_text_file_if_there(const std::string& path, std::uint64_t max_bytes) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  return read_text_file(path, max_bytes);
}

}  // namespace inocula
