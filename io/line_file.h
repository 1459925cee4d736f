// A text file that grows by whole lines.
#pragma once

#include <string>

namespace inocula {

/// For metrics and logs. What append() has returned from survives the death of the process.
class LineFile {
 public:
  /// Opens for appending, creates where missing; a last line that was left unfinished is ended first.
  /// Errors: cannot_create with the system's reason.
  explicit LineFile(const std::string& path);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// Adds `line`, which holds no line end, and a line end. Errors: io; the file then is as before.
  void append(const std::string& line);

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace inocula
