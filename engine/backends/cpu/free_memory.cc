// Reads /proc/meminfo and the control group's limit.
#include "engine/backends/cpu/free_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace inocula::cpu {

namespace {

/// The number that a file holds and nothing else; none where there is no such file or it says "max".
std::optional<std::size_t> number_in(const char* path) {
  std::ifstream file(path);
  std::size_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

}  // namespace

std::size_t free_memory() {
  std::size_t free = std::numeric_limits<std::size_t>::max();
  std::ifstream info("/proc/meminfo");
  for (std::string word; info >> word;) {
    std::size_t kibibytes = 0;
    if (word == "MemAvailable:" && info >> kibibytes) free = kibibytes * 1024;
  }
  const auto limit = number_in("/sys/fs/cgroup/memory.max"),
             used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) free = std::min(free, *limit - std::min(*limit, *used));
  return free;
}

}  // namespace inocula::cpu
