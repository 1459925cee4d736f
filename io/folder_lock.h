// One process at a time in a folder.
#pragma once

#include <string>

namespace inocula {

/// Holds `path` as a locked file while it lives and removes it at its end. The system lets go of the lock of
/// a process that dies, so that a file left behind locks nothing.
class FolderLock {
 public:
  /// Errors: cannot_create when another process holds the lock, or the file cannot be made. A file system
  /// without locks guards nothing.
  explicit FolderLock(const std::string& path);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace inocula
