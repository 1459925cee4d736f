// Which work a device was given last: where to look for what it did wrong.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>

namespace inocula::cuda {

/// A device reports what a kernel did wrong only when it is asked about something later.
class LastWork {
 public:
  explicit LastWork(int ordinal) : ordinal_(ordinal) { name_.reserve(kLongName); }
  /// Keeps a copy, in the memory that is there.
  void note(const std::string& name) { name_ = name; }
  /// " on cuda:0", and where anything was enqueued ", after 'conv1 forward' was enqueued".
  friend std::ostream& operator<<(std::ostream& text, const LastWork& last) {
    text << " on cuda:" << last.ordinal_;
    if (!last.name_.empty()) text << ", after '" << last.name_ << "' was enqueued";
    return text;
  }

 private:
  static constexpr std::size_t kLongName = 256;
  int ordinal_;
  std::string name_;
};

}  // namespace inocula::cuda
