// Drawing on standard error, so that standard output stays a command's result.
#include "tools/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>

namespace inocula {

namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kPlainLine = std::chrono::seconds(30);

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
}

}  // namespace

std::string format_duration(double seconds) {
  const auto s = static_cast<long>(seconds + 0.5);
  char text[48];
  if (s < 60)
    std::snprintf(text, sizeof text, "%ld s", s);
  else if (s < 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

Progress::Progress(bool quiet, std::function<void(const std::string&)> log)
    : quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) != 0),
      log_(std::move(log)),
      last_plain_(std::chrono::steady_clock::now()) {}

void Progress::clear() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
  drawn_ = false;
}

void Progress::update(const std::function<std::string()>& line) {
  const auto now = std::chrono::steady_clock::now();
  const bool plain = now - last_plain_ >= kPlainLine;
  if (plain) {
    last_plain_ = now;
    const std::string text = line();
    if (log_) log_(text);
    if (!quiet_ && !terminal_) std::fprintf(stderr, "%s\n", text.c_str());
  }
  if (quiet_ || !terminal_ || now - last_drawn_ < kRedraw) return;
  last_drawn_ = now;
  std::fprintf(stderr, "\r\033[K%s", line().substr(0, terminal_width()).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::say(const std::string& line) {
  clear();
  if (log_) log_(line);
  if (!quiet_) std::fprintf(stderr, "%s\n", line.c_str());
}

void Progress::warn(const std::string& lines) {
  clear();
  std::istringstream text(lines);
  for (std::string line; std::getline(text, line);) {
    if (log_) log_("warning: " + line);
    std::fprintf(stderr, "warning: %s\n", line.c_str());
  }
}

}  // namespace inocula
