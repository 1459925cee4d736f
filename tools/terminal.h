// Progress of long work: a line redrawn on a terminal, else a plain line every 30 seconds.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace inocula {

/// "41 s", "3:12", "1:04:09".
std::string format_duration(double seconds);

class Progress {
 public:
  /// `log` receives each plain line too; it may be empty. A quiet one draws nothing.
  explicit Progress(bool quiet, std::function<void(const std::string&)> log = {});
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows `line()` if it is time to; called as often as there is news.
  void update(const std::function<std::string()>& line);
  /// A line that stays: printed and logged.
  void say(const std::string& line);
  /// Lines that stay, each marked as a warning; a quiet one prints them too.
  void warn(const std::string& lines);

 private:
  void clear();

  bool quiet_, terminal_, drawn_ = false;
  std::function<void(const std::string&)> log_;
  std::chrono::steady_clock::time_point last_drawn_{}, last_plain_;
};

}  // namespace inocula
