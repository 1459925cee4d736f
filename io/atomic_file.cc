// The write-aside, flush, rename protocol.
#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace inocula {
namespace {

std::string reason() {
  return std::generic_category().message(errno);
}

/// A rename is durable only when the folder's own entry has reached the disk.
void sync_folder(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // Some network file systems know no flushing of folders (EINVAL); nothing more can be done there.
  const bool ok = folder >= 0 && (::fsync(folder) == 0 || errno == EINVAL);
  const std::string why = ok ? "" : reason();
  if (folder >= 0) ::close(folder);
  if (!ok) fail(ErrorKind::io, path, ": its folder cannot be flushed to the disk: ", why);
}

/// /dev/stdout and its like lead to the table of a process's open descriptors. What a descriptor stands for
/// is in use: a file renamed over it would take its name away from what goes on being written there.
bool is_descriptor(const std::filesystem::path& path) {
  constexpr decltype(statfs::f_type) kProc = 0x9fa0;  // statfs(2), PROC_SUPER_MAGIC
  struct statfs status = {};
  const std::filesystem::path parent = path.parent_path();
  return ::statfs(parent.empty() ? "." : parent.c_str(), &status) == 0 && status.f_type == kProc;
}

/// Where symbolic links lead, whether or not anything is there yet.
std::string final_target(const std::string& name) {
  constexpr int kMaxLinks = 40;  // as Linux has it
  std::error_code error;
  std::filesystem::path path(name);
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(path, error)); ++links) {
    if (is_descriptor(path))
      fail(ErrorKind::cannot_create, name, ": stands for an open descriptor, expected the name of a file");
    const std::filesystem::path target = std::filesystem::read_symlink(path, error);
    if (error) fail(ErrorKind::cannot_create, name, ": cannot be created: ", error.message());
    if (links == kMaxLinks)
      fail(ErrorKind::cannot_create, name, ": cannot be created: too many symbolic links");
    path = path.parent_path() / target;  // an absolute target replaces what is before it
  }
  return path.string();
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(final_target(path)) {
  static std::atomic<unsigned> counter{0};
  struct stat status = {};
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    fail(ErrorKind::cannot_create, path, ": cannot be created: ",
         S_ISDIR(status.st_mode) ? "a folder of this name exists"
                                 : "the name stands for something else than a file");
  }
  do {
    temporary_ = path_ + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail(ErrorKind::cannot_create, path, ": cannot be created: ", reason());
  if (exists) ::fchmod(descriptor_, status.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::uint64_t bytes) {
  auto* from = static_cast<const std::uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t put = ::pwrite(descriptor_, from, bytes, static_cast<off_t>(position_));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(ErrorKind::io, path_, ": writing failed at offset ", position_, ": ", reason());
    from += put;
    position_ += static_cast<std::uint64_t>(put);
    bytes -= static_cast<std::uint64_t>(put);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail(ErrorKind::io, path_, ": cannot be flushed to the disk: ", reason());
  if (::close(std::exchange(descriptor_, -1)) != 0)
    fail(ErrorKind::io, path_, ": closing failed: ", reason());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail(ErrorKind::io, path_, ": the finished file cannot be renamed into place: ", reason());
  }
  temporary_.clear();
  sync_folder(path_);
}

void require_creatable(const std::string& path) {
  const AtomicFile file(path);
}

void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

bool is_temporary_name(const std::string& name) {
  const std::size_t mark = name.rfind(".tmp.");
  if (mark == std::string::npos || mark == 0) return false;
  const std::string tail = name.substr(mark + 5);  // PID.N
  const std::size_t dot = tail.find('.');
  return dot != std::string::npos && dot > 0 && dot + 1 < tail.size() && tail.rfind('.') == dot &&
         tail.find_first_not_of("0123456789.") == std::string::npos;
}

void remove_temporaries(const std::string& folder, const std::vector<std::string>& names) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string found = it->path().filename().string();
    const bool left = is_temporary_name(found) &&
                      std::any_of(names.begin(), names.end(),
                                  [&](const std::string& name) { return found.starts_with(name + ".tmp."); });
    if (!left) continue;
    std::error_code failed;
    if (fs::is_directory(it->symlink_status(failed)))
      fail(ErrorKind::cannot_create, it->path().string(), ": is a folder, expected a temporary file");
    fs::remove(it->path(), failed);
    if (failed)
      fail(ErrorKind::cannot_create, it->path().string(), ": cannot be removed: ", failed.message());
  }
}

void require_free_space(const std::string& folder, std::uint64_t bytes) {
  struct statvfs status = {};
  if (::statvfs(folder.c_str(), &status) != 0) {
    fail(ErrorKind::io, folder, ": its free space cannot be read: ", reason());
  }
  const std::uint64_t free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize;
  if (free_bytes < bytes) {
    fail(ErrorKind::io, folder, ": needs ", bytes, " bytes of free space, ", free_bytes, " are left");
  }
}

void create_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorKind::cannot_create, folder, ": the folder cannot be created: ", error.message());
}

}  // namespace inocula
