// Appending lines.
#include "io/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "engine/error.h"

namespace inocula {

LineFile::LineFile(const std::string& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    fail(ErrorKind::cannot_create, path,
         ": cannot be opened for writing: ", std::generic_category().message(errno));
  }
  const off_t end = ::lseek(descriptor_, 0, SEEK_END);
  char last = '\n';
  if (end > 0 && ::pread(descriptor_, &last, 1, end - 1) == 1 && last != '\n') {
    (void)!::write(descriptor_, "\n", 1);  // should this fail, so will the first append, which reports it
  }
}

LineFile::~LineFile() {
  ::close(descriptor_);
}

void LineFile::append(const std::string& line) {
  if (line.find('\n') != std::string::npos)
    fail(ErrorKind::internal, path_, ": a line to append holds a line end");
  const std::string text = line + '\n';
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t put = ::write(descriptor_, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const std::string reason = std::generic_category().message(errno);
      (void)!::ftruncate(descriptor_, before);
      fail(ErrorKind::io, path_, ": writing failed at offset ", before, ": ", reason);
    }
    done += static_cast<std::size_t>(put);
  }
}

}  // namespace inocula
