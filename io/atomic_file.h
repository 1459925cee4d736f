// Writing a file so that its name never stands for a half-written one: write aside, flush, rename.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace inocula {

/// Everything the library writes goes through here. The temporary lies in the same folder and is called
/// NAME.tmp.PID.N; it is removed unless commit() succeeds. A file already there keeps its permissions,
/// a symbolic link stays one and its target is written, whether or not that was there.
class AtomicFile {
 public:
  /// Errors: cannot_create when the folder is missing or not writable, or the name stands for anything
  /// but a regular file: a folder, a device, a pipe, an open descriptor such as /dev/stdout.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Writes at the current position and moves it on. Errors: io with the system's reason.
  void write(const void* data, std::uint64_t bytes);
  void seek(std::uint64_t position) { position_ = position; }
  std::uint64_t position() const { return position_; }

  /// Flushes file and folder to the disk and gives the file its name. Errors: io with the system's reason.
  void commit();

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
  std::uint64_t position_ = 0;
};

/// That AtomicFile could begin here, for telling so before hours of work. Errors: as its constructor.
void require_creatable(const std::string& path);

void write_file(const std::string& path, const std::string& text);

/// Whether a file name is one that AtomicFile gives to its temporaries, for removing what a killed run left.
bool is_temporary_name(const std::string& name);

/// Removes from a folder what killed processes left beside files of these names. Nobody else may be writing
/// them: the caller holds the folder's lock. Errors: cannot_create where one cannot be removed.
void remove_temporaries(const std::string& folder, const std::vector<std::string>& names);

/// Errors: io when the file system that holds `folder` has fewer than `bytes` free for this user.
void require_free_space(const std::string& folder, std::uint64_t bytes);

/// Creates a folder and its parents where missing. Errors: cannot_create with the system's reason.
void create_folder(const std::string& folder);

}  // namespace inocula
