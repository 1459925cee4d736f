// Locking through flock.
#include "io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "engine/error.h"

namespace inocula {
namespace {

/// Whether the open file still has its name: the holder before us may have removed it between our opening it
/// and our locking it.
bool is_named(int descriptor, const std::string& path) {
  struct stat open_file = {}, named_file = {};
  return ::fstat(descriptor, &open_file) == 0 && ::stat(path.c_str(), &named_file) == 0 &&
         open_file.st_dev == named_file.st_dev && open_file.st_ino == named_file.st_ino;
}

}  // namespace

FolderLock::FolderLock(const std::string& path) : path_(path) {
  while (true) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      fail(ErrorKind::cannot_create, path,
           ": cannot be opened for writing: ", std::generic_category().message(errno));
    }
    const bool locked = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno == EWOULDBLOCK) {
      ::close(descriptor_);
      fail(ErrorKind::cannot_create, std::filesystem::path(path).parent_path().string(),
           ": is in use by another process, expected a folder of its own for each run");
    }
    if (!locked || is_named(descriptor_, path)) return;
    ::close(descriptor_);
  }
}

FolderLock::~FolderLock() {
  ::unlink(path_.c_str());  // while it is still locked: nobody else's file can be there
  ::close(descriptor_);
}

}  // namespace inocula
